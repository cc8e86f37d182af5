package listen

import (
	"testing"
	"time"
)

// TestBudget: two listeners that share a budget take no more connections than it has,
// and one more after another has left, whichever had it.
func TestBudget(t *testing.T) {
	t.Parallel()
	refused, closed := make(chan Connection, 10), make(chan Connection, 10)
	cfg := Config{Budget: NewBudget(2), Events: Events{
		Refused: func(c Connection) { refused <- c },
		Closed:  func(c Connection, _ time.Duration) { closed <- c },
	}}
	a, b := start(t, cfg, echo), start(t, cfg, echo)
	first, second := connect(t, a, nil), connect(t, b, nil)
	expect(t, first, "hello", "hello")
	expect(t, second, "hello", "hello")
	for range 3 {
		for _, l := range []*Listener{a, b} {
			over := connect(t, l, nil)
			wait(t, refused)
			if _, err := say(over, ""); err == nil {
				t.Error("a connection over the budget is open")
			}
		}
	}
	first.Close()
	wait(t, closed)
	expect(t, connect(t, b, nil), "third", "third")
}

// TestShare: one listener leaves a quarter of a budget to others.
func TestShare(t *testing.T) {
	t.Parallel()
	refused := make(chan Connection, 1)
	cfg := Config{Budget: NewBudget(4), Events: Events{
		Refused: func(c Connection) { refused <- c },
	}}
	a, b := start(t, cfg, echo), start(t, cfg, echo)
	for range 3 {
		expect(t, connect(t, a, nil), "hello", "hello")
	}
	connect(t, a, nil)
	wait(t, refused)
	expect(t, connect(t, b, nil), "hello", "hello")
}
