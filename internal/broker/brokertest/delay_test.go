package brokertest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/store/storetest"
)

// TestDelaysCrashAnywhere takes the disk at many of the changes that delayed
// messages make on their way, and finds each of them once in a new process.
func TestDelaysCrashAnywhere(t *testing.T) {
	t.Parallel()
	const every, images, total = 5, 30, 300
	disk, clock := storetest.NewDisk(), NewClock()
	w := Start(t, openEmbedded(t, disk), NewDomain(), clock.Use(Tiny()))
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true, MaxPriority: 2})
	known := (&leased{}).clone()
	type crash struct {
		disk  *storetest.Disk
		known leased
	}
	var crashes []crash
	var mu sync.Mutex
	disk.OnChange(func(c storetest.Change) error {
		mu.Lock()
		defer mu.Unlock()
		if c.N%every == 0 && len(crashes) < images {
			crashes = append(crashes, crash{disk.Lose(c.N%3*50, uint64(c.N)), known.clone()})
		}
		return nil
	})
	delayLoad(t, w, clock, total, func(fn func(*leased)) {
		mu.Lock()
		defer mu.Unlock()
		fn(&known)
	})
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	if len(crashes) < images/2 {
		t.Fatalf("only %d images were taken", len(crashes))
	}
	for i, c := range crashes {
		if err := delaysSurvive(t, w.Domain, c.disk, &c.known); err != nil {
			t.Fatalf("image %d: %v", i, err)
		}
	}
}

// delayLoad publishes with delays of up to 400 ms and accepts what becomes due
// meanwhile.
func delayLoad(
	t *testing.T, w *World, clock *Clock, total int, note func(func(*leased)),
) {
	c, q := w.Client(broker.SessionConfig{}), w.Queue("q")
	for i := 1; i <= total; i += 10 {
		like := broker.Message{Key: "q", Durable: true, Priority: uint8(i / 10 % 3)}
		like.Delay = broker.AtMost(int64(i * 7 % 400))
		if err := c.SendLike(like, numbered(i, i+9)...); err != nil {
			t.Fatal(err)
		}
		note(func(l *leased) { l.confirmed = i + 9 })
		clock.Advance(100 * time.Millisecond)
		spec := broker.ReceiveSpec{Queue: q, Max: 9, Lease: time.Hour}
		list, err := c.Receive(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		var refs []broker.LeaseRef
		for k := range list {
			text, err := w.Text(&list[k])
			n, _ := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, list[k].Lease)
			note(func(l *leased) { l.asked[n] = true })
		}
		settleAll(t, w, q, refs)
		note(func(l *leased) {
			for n := range l.asked {
				l.settled[n] = true
			}
		})
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// delaysSurvive opens what a crash left and lets everything become due.
func delaysSurvive(t *testing.T, d *Domain, disk *storetest.Disk, known *leased) error {
	clock := NewClock()
	w := Start(t, openEmbedded(t, disk), d, clock.Use(Tiny()))
	q, ok := w.Namespace.Topology().Queue("q")
	if !ok {
		if known.confirmed > 0 {
			return errors.New("the queue is gone")
		}
		return w.Stop()
	}
	c := w.Client(broker.SessionConfig{})
	clock.Advance(24 * time.Hour)
	for end := time.Now().Add(patience()); q.Delayed() > 0; {
		if err := c.Flush(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d messages stay delayed", q.Delayed())
		}
	}
	all, err := receiveAll(c, q, time.Hour)
	if err != nil {
		return err
	}
	seen := map[int]bool{}
	for i := range all {
		if n, err := number1(w, &all[i], seen); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
	}
	for n := 1; n <= known.confirmed; n++ {
		if known.settled[n] && seen[n] || !known.asked[n] && !seen[n] {
			return fmt.Errorf("message %d: settled %v, asked %v, seen %v", n, known.settled[n],
				known.asked[n], seen[n])
		}
	}
	return errors.Join(c.Close(t.Context()), w.Stop())
}
