package shovel

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq/peer"
)

// declare prepares the queue to consume, and says how many messages are to be moved.
func (s *source) declare(conn *peer.Conn, ch *amqp.Channel) (
	queue string, count int64, err error,
) {
	queue, count = s.queue, s.count
	if queue != "" {
		if err := ensure(conn, queue, s.arguments, s.predeclared); err != nil {
			return "", 0, err
		}
	} else {
		q, err := ch.QueueDeclare("", false, false, true, false, nil)
		if err == nil {
			err = ch.QueueBind(q.Name, s.key, s.exchange, false, nil)
		}
		if err != nil {
			return "", 0, err
		}
		queue = q.Name
	}
	if s.all {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err != nil {
			return "", 0, err
		}
		count = int64(q.Messages)
	}
	return queue, count, nil
}

func (s *source) place() Place {
	if s.queue != "" {
		return Place{Queue: &s.queue}
	}
	return Place{Exchange: &s.exchange, Key: &s.key}
}

// declare prepares the queue to publish to.
func (d *destination) declare(conn *peer.Conn) error {
	if d.queue == nil {
		return nil
	}
	return ensure(conn, *d.queue, d.arguments, d.predeclared)
}

func (d *destination) place() Place {
	return Place{Queue: d.queue, Exchange: d.exchange, Key: d.key}
}

// ensure declares a durable queue unless there is one of the name, whatever it is like.
// A predeclared one has to be there.
func ensure(conn *peer.Conn, queue string, args amqp.Table, predeclared bool) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	if err == nil {
		return ch.Close()
	}
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Code != amqp.NotFound || predeclared {
		return err
	}
	if ch, err = conn.Channel(); err != nil {
		return err
	}
	if _, err = ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
		return err
	}
	return ch.Close()
}
