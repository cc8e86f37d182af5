package brokertest

import (
	"context"
	"errors"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store/memory"
)

// TestMoveEnds ends moves that would go on: by the caller's context, before and after
// they began, by a store that fails and by the end of the core.
func TestMoveEnds(t *testing.T) {
	t.Parallel()
	canceled := func(err error) bool { return errors.Is(err, context.Canceled) }
	broken := func(err error) bool { return fault.KindOf(err) == fault.Unavailable }
	for name, x := range map[string]struct {
		end  func(*memory.Engine, *World, *Client, context.CancelFunc)
		want func(error) bool
	}{
		"context": {func(_ *memory.Engine, _ *World, _ *Client, cancel context.CancelFunc) {
			cancel()
		}, canceled},
		"store": {func(e *memory.Engine, w *World, c *Client, _ context.CancelFunc) {
			e.FailBatch(1, 1, errors.New("broken"))
			c.Send("", "q", true, "more")
		}, broken},
		"core": {func(_ *memory.Engine, w *World, c *Client, _ context.CancelFunc) {
			c.Close(t.Context())
			w.Stop()
		}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := memory.New(memory.Config{Shards: 3})
			clock := NewClock()
			w := Start(t, e, NewDomain(), clock.Use(broker.Config{}))
			from := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
			to := w.Declare(nil, broker.QueueSpec{Name: "d", Durable: true})
			c := w.Client(broker.SessionConfig{})
			if err := c.Send("", "q", true, "1", "2", "3"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			m, err := w.Namespace.MoveMessages(ctx, broker.MoveSpec{From: from, To: to, Rate: 1})
			if err != nil {
				t.Fatal(err)
			}
			err = (&player{world: w}).until(func() bool { return m.Moved() == 1 })
			if err != nil {
				t.Fatal(err)
			}
			x.end(e, w, c, cancel)
			<-m.Done()
			if !x.want(m.Err()) || m.Moved() != 1 {
				t.Fatalf("after %d messages: %v", m.Moved(), m.Err())
			}
			c.Close(t.Context())
			w.Stop()
		})
	}
}

// TestMoveCancelledBefore begins a move whose context is over.
func TestMoveCancelledBefore(t *testing.T) {
	t.Parallel()
	w := Start(t, memory.New(memory.Config{Shards: 3}), NewDomain(), broker.Config{})
	from := w.Declare(nil, broker.QueueSpec{Name: "q"})
	to := w.Declare(nil, broker.QueueSpec{Name: "d"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := w.Namespace.MoveMessages(ctx, broker.MoveSpec{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	<-m.Done()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
