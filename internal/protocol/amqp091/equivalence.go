package amqp091

import (
	"strconv"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// What of the arguments is compared when a queue is declared again, in RabbitMQ's
// order. Other arguments may differ.
var (
	classicCompared = [...]string{
		argExpires, argMessageTTL, argDeadExchange, argDeadKey, argMaxLength, argMaxBytes,
		argMaxPriority, argOverflow, "x-queue-mode", "x-queue-version", argSingle, argType,
		"x-queue-master-locator", "x-queue-leader-locator",
	}
	quorumCompared = [...]string{
		argDeadExchange, argDeadKey, "x-dead-letter-strategy", argExpires, argMaxLength,
		argMaxBytes, "x-max-in-memory-length", "x-max-in-memory-bytes", argOverflow, argSingle,
		argType, "x-quorum-initial-group-size", argDeliveryLimit, argMessageTTL,
		"x-queue-leader-locator",
	}
)

// sameQueue refuses a declaration that differs from the queue that is there.
func (c *conn) sameQueue(q *broker.Queue, want *broker.QueueSpec, t wire.Table) error {
	have := q.Spec()
	owner := c.named(QueueResource, have.Name)
	if have.Exclusive != want.Exclusive || have.Exclusive && q.Owner() != c.session {
		return c.locked(have.Name)
	}
	err := equal("durable", owner, want.Durable, have.Durable, strconv.FormatBool)
	if err == nil {
		err = equal("auto_delete", owner, want.AutoDelete, have.AutoDelete, strconv.FormatBool)
	}
	if err != nil {
		return err
	}
	var old wire.Table
	if len(have.Arguments) >= tableLength {
		if old, err = wire.ParseTable(have.Arguments[tableLength:]); err != nil {
			return err
		}
	}
	compared := classicCompared[:]
	if kindOfQueue(old) == quorum {
		compared = quorumCompared[:]
	}
	for _, name := range compared {
		if err := sameArgument(name, owner, t, old); err != nil {
			return err
		}
	}
	return nil
}

// sameArgument compares one argument. That a queue is classic need not be said.
func sameArgument(name, owner string, received, current wire.Table) error {
	v, given := received.Get(name)
	w, there := current.Get(name)
	if name == argType {
		saysClassic := func(v wire.Value) bool {
			text, _ := v.Text()
			return text == classicName
		}
		if !given && there && saysClassic(w) || given && !there && saysClassic(v) {
			return nil
		}
	}
	switch {
	case !given && !there, given && there && alike(v, w):
		return nil
	case given && there:
		return refuse(wire.PreconditionFailed,
			"inequivalent arg '%s' for %s: received '%s' but current is '%s'",
			name, owner, valueText(v), valueText(w))
	}
	return refuse(wire.PreconditionFailed,
		"inequivalent arg '%s' for %s: received %s but current is %s",
		name, owner, typedText(v, given), typedText(w, there))
}
