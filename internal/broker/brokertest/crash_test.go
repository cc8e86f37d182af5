package brokertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// progress is what the outside knows at an instant.
type progress struct {
	sent      int // messages 1 to sent were published
	confirmed int // 1 to confirmed were confirmed
	seen      int // 1 to seen were delivered
	asked     int // 1 to asked were accepted, durable or not
	settled   int // 1 to settled were accepted and that is durable
}

// TestCrashAnywhere takes the disk at many of the changes that a load makes and
// checks what a new process finds there.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, func(*World) (stop func()) { return func() {} })
}

// crashAnywhere does it while something else goes on, too, which ends when stop returns.
func crashAnywhere(t *testing.T, beside func(*World) (stop func())) {
	t.Helper()
	const every, images, total = 7, 40, 600
	disk := storetest.NewDisk()
	e := openEmbedded(t, disk)
	w := Start(t, e, NewDomain(), Tiny())
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	var mu sync.Mutex
	var known progress
	type crash struct {
		disk *storetest.Disk
		// What was known before, and is thus promised.
		known progress
	}
	var crashes []crash
	disk.OnChange(func(c storetest.Change) error {
		mu.Lock()
		defer mu.Unlock()
		if c.N%every == 0 && len(crashes) < images {
			crashes = append(crashes, crash{disk.Lose(c.N%3*50, uint64(c.N)), known})
		}
		return nil
	})
	stop := beside(w)
	load(t, w, total, func(f func(*progress)) {
		mu.Lock()
		defer mu.Unlock()
		f(&known)
	})
	stop()
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	disk.OnChange(nil)
	if len(crashes) < images/2 {
		t.Fatalf("only %d images were taken", len(crashes))
	}
	for i, c := range crashes {
		if err := survive(t, w.Domain, c.disk, c.known, total); err != nil {
			t.Fatalf("image %d, %+v known: %v", i, c.known, err)
		}
	}
}

// load publishes the numbers from 1 to total, consumes and accepts them, and
// notes what it knows at every step. It accepts in order and leaves the last
// hundred unsettled.
func load(t *testing.T, w *World, total int, note func(func(*progress))) {
	p, c := w.Client(broker.SessionConfig{}), w.Client(broker.SessionConfig{})
	q := w.Queue("q")
	_, err := c.Consume(t.Context(), broker.ConsumerSpec{Queue: q, Credit: 40, Replenish: true})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for i := 1; i <= total; i += 5 {
			texts := []string{}
			for k := range 5 {
				texts = append(texts, strconv.Itoa(i+k))
			}
			note(func(k *progress) { k.sent = i + 4 })
			if err := p.Send("", "q", true, texts...); err != nil {
				t.Error(err)
				return
			}
			note(func(k *progress) { k.confirmed = i + 4 })
		}
	})
	for i := 1; i <= total-100; i++ {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Error(err)
			break
		}
		note(func(k *progress) { k.seen, k.asked = i, i })
		c.Settle([]broker.Settlement{{Ref: ev.Delivery.Ref, Outcome: broker.Accept}})
		if i%10 == 0 {
			if err := c.Flush(); err != nil {
				t.Error(err)
				break
			}
			note(func(k *progress) { k.settled = i })
		}
	}
	work.Wait()
	if err := errors.Join(p.Close(t.Context()), c.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// survive opens what a crash left and drains it.
func survive(t *testing.T, d *Domain, disk *storetest.Disk, k progress, total int) error {
	e, err := embedded.Open(embedded.Config{Dir: "data", FS: disk, Shards: 3})
	if err != nil {
		return err
	}
	healthy(t, e)
	w := Start(t, e, d, Tiny())
	c := w.Client(broker.SessionConfig{})
	var got []int
	unmarked := 0
	for {
		m, _, ok, err := c.Get(t.Context(), w.Queue("q"), false)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		text, err := w.Text(&m)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		got = append(got, n)
		if !m.Redelivered {
			unmarked = n
		}
		if n <= k.seen && !m.Redelivered {
			return fmt.Errorf("message %d was delivered before and is not marked", n)
		}
		if m.Redelivered && unmarked > 0 {
			return fmt.Errorf("message %d is marked, %d is not", n, unmarked)
		}
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop(), e.Close()); err != nil {
		return err
	}
	return whole(got, k, total)
}

// whole checks that got is in order and without holes: all that was confirmed
// and not settled, nothing that was settled, nothing that was never published.
func whole(got []int, k progress, total int) error {
	if !slices.IsSorted(got) {
		return fmt.Errorf("out of order: %v", got)
	}
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]+1 {
			return fmt.Errorf("%d follows %d", got[i], got[i-1])
		}
	}
	if len(got) == 0 {
		got = []int{max(k.confirmed, k.settled) + 1} // confirms may be noted later
		if k.confirmed > k.asked {
			return fmt.Errorf("nothing is left")
		}
	}
	last := got[len(got)-1]
	switch {
	case got[0] <= k.settled:
		return fmt.Errorf("%d came back", got[0])
	case got[0] > k.asked+1:
		return fmt.Errorf("%d is the first", got[0])
	case last < k.confirmed:
		return fmt.Errorf("%d is the last", last)
	case last > total:
		return fmt.Errorf("%d was never published", last)
	}
	return nil
}
