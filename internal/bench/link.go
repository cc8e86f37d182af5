package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// channel is the one that each connection has.
const channel = 1

// A link is a connection with a channel, and a name for errors.
type link struct {
	*amqpclient.Conn
	name    string
	writing sync.Mutex             // acks against the goodbye
	blocked atomic.Pointer[string] // why the broker takes no publishes
}

// link connects, opens the channel and calls methods on it.
func (r *run) link(ctx context.Context, name string, methods ...wire.Method) (*link, error) {
	to := r.cfg.Target
	if connections := r.cfg.Publishers + r.cfg.Consumers; connections > manyConnections {
		to.ReadBuffer = 8 << 10
	}
	c, err := amqpclient.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: c, name: name}
	err = c.Open(channel)
	for _, m := range methods {
		if err == nil {
			_, err = c.Call(channel, m)
		}
	}
	if err != nil {
		c.Close()
		return nil, l.explain(err)
	}
	return l, nil
}

// explain names the connection in an error.
func (l *link) explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the broker cut the connection: %w", err)
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// other handles what may come to any connection.
func (l *link) other(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ConnectionBlocked:
		l.blocked.Store(&m.Reason)
	case *wire.ConnectionUnblocked:
		l.blocked.Store(nil)
	case *wire.BasicConsumeOk:
	default:
		return fmt.Errorf("got %s, which was not asked for", m.ID())
	}
	return nil
}

// ack settles all deliveries up to tag.
func (l *link) ack(tag uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Ack(channel, tag, true); err != nil {
		return err
	}
	return l.Flush()
}

// goodbye asks the broker to close the connection; the reader sees the answer.
func (l *link) goodbye() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.Append(0, &wire.ConnectionClose{ReplyCode: wire.ReplySuccess, ReplyText: "bye"})
	if err != nil {
		return err
	}
	return l.Flush()
}
