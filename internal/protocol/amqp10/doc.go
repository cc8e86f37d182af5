// Package amqp10 is the server side of AMQP 1.0 as RabbitMQ 4 speaks it, over the
// queue core of package broker.
//
// It guarantees that frames in any order, malformed or oversized, end in the
// specification's error and an ended link, session or connection, never in a hang or
// in unbounded memory; that what is not built is refused and never answered as if it
// were; that a message is accepted only when the broker calls it durable; that a
// receiver gets no more than its credit and its window; and that nothing is lost while
// the namespace's key cannot be used: messages are rejected with the reason, deliveries
// wait, settlements are taken. While there is no room on the disk senders get no
// credit, and what they send on older credit is rejected.
//
// It does not know users, keys or virtual hosts beyond the [Engine] that it is given,
// listens to no port and does no TLS. The sections of a message that a sender wrote
// come back octet by octet; header and annotations are the broker's.
//
// Unlike RabbitMQ, which ends the session, a link that cannot be attached is refused by
// itself, a dynamic target is a queue that goes with its link, and browsing is refused.
// Filters are not built, as their absence in the answer to attach tells. A message that
// a receiver modifies keeps its annotations.
//
// One goroutine of a connection reads, seals and asks the broker; another opens
// deliveries and writes. Sources: OASIS AMQP 1.0, RabbitMQ's published documentation
// and its error texts.
package amqp10
