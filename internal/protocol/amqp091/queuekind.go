package amqp091

import (
	"math"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// kind is a type of queues.
type kind uint8

const (
	classic kind = 1 << iota
	quorum
	stream // known, so that its arguments are told from unknown ones; not built
)

// kindNames are what a client says, kindModules what RabbitMQ's texts call it.
const (
	classicName, classicModule = "classic", "rabbit_classic_queue"
	quorumName, quorumModule   = "quorum", "rabbit_quorum_queue"
	streamName                 = "stream"
)

func (k kind) module() string {
	if k == quorum {
		return quorumModule
	}
	return classicModule
}

// kindOf gives the kind that arguments ask for. A value that is none is refused by
// checkQueueArguments.
func kindOfQueue(t wire.Table) kind {
	v, _ := t.Get(argType)
	switch text, _ := v.Text(); text {
	case quorumName:
		return quorum
	case streamName:
		return stream
	}
	return classic
}

// isQuorum reports whether a queue is one of the quorum kind.
func isQuorum(q *broker.Queue) bool {
	args := q.Spec().Arguments
	if len(args) < tableLength {
		return false
	}
	v, _ := wire.FindField(args[tableLength:], argType)
	text, _ := v.Text()
	return string(text) == quorumName
}

// tableLength is what stands before the fields of an encoded table.
const tableLength = 4

// deliveryLimit is how often a message of a quorum queue may come back, if nothing
// else is said. RabbitMQ has it since 4.0.
const deliveryLimit = 20

// shape fills in what checked arguments make of a queue.
func shape(s *broker.QueueSpec, t wire.Table) {
	number := func(name string) (b broker.Bound) {
		if v, ok := t.Get(name); ok {
			b.N, b.Set = v.Int64()
		}
		return b
	}
	text := func(name string) (string, bool) {
		v, _ := t.Get(name)
		return v.Text()
	}
	single, _ := t.Get(argSingle)
	s.SingleActive, _ = single.Bool()
	s.MaxPriority = uint8(number(argMaxPriority).N)
	l := &s.Limits
	l.Expiry, l.Idle = number(argMessageTTL), number(argExpires)
	l.MaxLength, l.MaxBytes = number(argMaxLength), number(argMaxBytes)
	switch mode, _ := text(argOverflow); mode {
	case "reject-publish":
		l.Overflow = broker.RefusePublish
	case "reject-publish-dlx":
		l.Overflow = broker.DeadLetterRefuse
	}
	l.Dead.Address, l.Dead.Set = text(argDeadExchange)
	l.Dead.Key, l.Dead.OwnKey = text(argDeadKey)
	if kindOfQueue(t) != quorum {
		return
	}
	// A quorum queue keeps what is not persistent, too, and knows two ways to overflow.
	s.KeepAll = true
	if l.Overflow == broker.DeadLetterRefuse {
		l.Overflow = broker.DropHead
	}
	l.Deliveries = broker.AtMost(deliveryLimit)
	if n := number(argDeliveryLimit); n.Set {
		l.Deliveries = n
	}
	if l.Deliveries.N < 0 { // none; but what counts is told
		l.Deliveries.N = math.MaxInt64
	}
}
