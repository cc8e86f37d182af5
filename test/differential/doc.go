// Package differential plays the same generated scripts of AMQP 0-9-1 to a real
// RabbitMQ and to the built Coffer, and compares what clients see: replies, codes and
// texts of errors, deliveries with all their properties, returns, confirms, and how
// many messages and consumers each queue has.
//
// It guarantees that a difference which no entry of the table in differences.go
// explains fails the test, with a script made as short as it can be. It sends frames
// of its own making, so that wrong ones can be sent, too. It does not compare what
// clients cannot see, nor when something happens: each step waits until all of its
// consequences are there. What RabbitMQ 4 does otherwise than the RabbitMQ 3.10 that
// is asked is in the table as well, with its source: Coffer follows 4.
//
// The scripts follow from a seed, see make differential.
package differential
