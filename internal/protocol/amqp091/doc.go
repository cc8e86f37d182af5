// Package amqp091 is the server side of AMQP 0-9-1 as RabbitMQ speaks it, over
// the queue core of package broker.
//
// It guarantees that frames in any order, malformed or oversized, end in the
// protocol's error and a closed channel or connection, never in a hang or in
// unbounded memory; that a method or argument of RabbitMQ's that is not built is
// refused by name and never answered as if it were; that a confirm is sent only
// for what the broker calls durable, after the return of an unroutable message;
// and that nothing is lost while the namespace's key cannot be used: publishes
// are refused with the reason, deliveries wait, settlements are taken. While
// there is no room on the disk publishes are refused in confirm mode; a client
// that publishes without confirms is not read from until there is, so that
// nothing it sends is dropped.
//
// It does not know users, keys or virtual hosts beyond the [Engine] that it is
// given, listens to no port and does no TLS. Not built: streams and consumer
// timeouts. A transaction is as a whole or not at all,
// unlike RabbitMQ's, so it has a bound, [broker.MaxTransactionBytes], and fails when
// one of its queues refuses a message. An answer to amq.rabbitmq.reply-to does not
// leave the virtual host, and is dropped when the one who asked does not read.
// Exchanges of type x-consistent-hash share by weights as RabbitMQ's do, but not the
// same keys to the same queues. EXTERNAL needs an [Engine] that is a [Certifier], and
// TLS that asks for certificates.
// Quorum queues differ from classic ones in what they accept, keep and
// count; they know no priorities, and what is requeued returns to its place in
// both. A connection that does not settle its deliveries gets no more of them at
// the bound that [broker.SessionConfig] sets; RabbitMQ has none.
//
// One goroutine of a connection reads, seals and asks the broker; another opens
// deliveries and writes. Sources: the AMQP 0-9-1 specification, RabbitMQ's
// published extensions and errata, and its error texts, which clients compare.
package amqp091
