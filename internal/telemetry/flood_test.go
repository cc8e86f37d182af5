package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFlood writes ten thousand refusals within a second: few lines come of them, the next
// one counts those that did not, and other messages are not held back.
func TestFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l, err := NewLogger(&b, LogConfig{})
		if err != nil {
			t.Fatal(err)
		}
		count := func(text string) int { return strings.Count(b.String(), text) }
		const refusals = 10_000
		for i := range refusals {
			l.With("listener", "amqp").WithGroup("of").Warn("sign-in refused",
				"user", fmt.Sprint(i))
			<-time.After(time.Second / refusals)
		}
		written := count("sign-in refused")
		if written < floodBurst || written > floodBurst+2*floodRate {
			t.Errorf("%d of %d refusals were written", written, refusals)
		}
		l.Info("serving")
		if count("serving") != 1 {
			t.Error("another message was held back")
		}
		<-time.After(time.Minute)
		b.Reset()
		l.Warn("sign-in refused")
		if !strings.Contains(b.String(), " suppressed=") {
			t.Errorf("not counted: %s", &b)
		}
		b.Reset()
		for range floodBurst {
			l.Warn("sign-in refused")
		}
		if n := count("sign-in refused"); n < floodBurst-1 || count("suppressed") != 0 {
			t.Errorf("after a minute %d lines", n)
		}
	})
}

// TestFloodCount loses no count: what was written and what is told to be missing are all.
func TestFloodCount(t *testing.T) {
	t.Parallel()
	c := &classes{of: map[string]*class{}}
	at, written, dropped := time.Now(), int64(0), int64(0)
	const n = 5000
	for i := range n + 1 {
		if i == n {
			at = at.Add(time.Hour)
		}
		if ok, before := c.take("m", at); ok {
			written++
			dropped += before
		}
		at = at.Add(time.Millisecond)
	}
	if written+dropped != n+1 || dropped == 0 {
		t.Errorf("%d written, %d told to be missing, of %d", written, dropped, n+1)
	}
	if ok, _ := c.take("m", at.Add(-24*time.Hour)); !ok {
		t.Error("a clock that was set back holds records back")
	}
	for i := range 3 * floodClasses {
		c.take(fmt.Sprint(i), at)
	}
	if len(c.of) > floodClasses {
		t.Errorf("%d messages are kept", len(c.of))
	}
}

// TestFloodDebug writes everything to who asks for everything.
func TestFloodDebug(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l, err := NewLogger(&b, LogConfig{Level: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * floodBurst {
		l.Debug("step")
	}
	if n := strings.Count(b.String(), "step"); n != 2*floodBurst {
		t.Errorf("%d lines", n)
	}
}

// BenchmarkFlood is what the count costs a line, and a line that is not written.
func BenchmarkFlood(b *testing.B) {
	f := newFlood(slog.DiscardHandler)
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "connection opened", 0)
	for b.Loop() {
		f.Handle(b.Context(), r)
	}
}
