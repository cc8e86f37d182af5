// Package bench loads a broker of AMQP 0-9-1 and measures it: Coffer, RabbitMQ or any
// other, over TLS or without, by what every client sees.
//
// It guarantees that every message is accounted for: each names who sent it, its place
// in the order and when it was due, so that what was lost, came twice or out of order
// is counted; that a latency counts from when a message was due, so that a broker which
// stalls does not look fast because nothing was sent meanwhile; that a run ends, with
// an error that tells why if the broker refuses or falls silent; and that it allocates
// nothing per message, so that the generator takes little of the machine it shares with
// the broker.
//
// It touches only queues of its own, and removes them. It does not tune the broker, and
// sees the processor time and the memory of one only on the same machine, where /proc
// shows them.
package bench
