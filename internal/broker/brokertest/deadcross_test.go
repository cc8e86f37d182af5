package brokertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// crossing is a way for messages from the queue "work" to the queue "done" of a
// namespace in another shard, in which crashes are looked for.
type crossing struct {
	total  int
	twice  bool               // a second crash, too
	sealed func(i int) string // the text of message i
	send   func(w *World, known func(int))
	resume func(*World) // after a crash; may be nil
}

// prove takes images of the disk while messages cross, opens each, lets it come to
// rest, and finds every message in one of the queues, once and in order. Of some, it
// takes images while it does so.
func (x *crossing) prove(t *testing.T) {
	disk := storetest.NewDisk()
	w := Start(t, openEmbedded(t, disk), NewDomain(), broker.Config{})
	if err := w.OpenOther(); err != nil {
		t.Fatal(err)
	}
	w.In().Declare(nil, broker.QueueSpec{Name: "done", Durable: true})
	w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true, Limits: broker.Limits{
		Dead: broker.DeadLetter{Set: true, Namespace: w.other, Key: "done", OwnKey: true},
	}})
	c := w.Client(broker.SessionConfig{})
	for i := 1; i <= x.total; i++ {
		if err := c.Send("", "work", true, x.sealed(i)); err != nil {
			t.Fatal(err)
		}
	}
	images := newImages(disk, 2)
	x.send(w, images.known)
	if err := x.settled(w, x.total); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	list := images.stop()
	if len(list) < 12 {
		t.Fatalf("only %d images were taken", len(list))
	}
	for i, y := range list {
		if err := x.check(t, w.Domain, y, x.twice && i%10 == 0); err != nil {
			t.Fatalf("image %d, %d known: %v", i, y.known, err)
		}
	}
}

// settled waits until so many messages are in done and none is under way.
func (x *crossing) settled(w *World, want int) error {
	p := &player{world: w}
	in := w.In()
	err := p.until(func() bool {
		ready, _, _ := in.Queue("done").Counts()
		return int(ready) >= want
	})
	return errors.Join(err, p.crossed("parcels", "0"))
}

func (x *crossing) check(t *testing.T, d *Domain, y image, again bool) error {
	e, err := embedded.Open(embedded.Config{Dir: "data", FS: y.disk, Shards: 3})
	if err != nil {
		return err
	}
	healthy(t, e)
	var more *images
	if again {
		more = newImages(y.disk, 1)
		more.known(y.known)
	}
	w := Start(t, e, d, broker.Config{})
	if err := w.OpenOther(); err != nil {
		return err
	}
	if x.resume != nil {
		x.resume(w)
	}
	p := &player{world: w}
	if err := p.crossed("parcels", "0"); err != nil {
		return err
	}
	left, err := x.numbers(w, "work")
	got, err2 := x.numbers(w.In(), "done")
	lost := w.Core.Stats().Lost
	if err := errors.Join(err, err2, w.Stop()); err != nil {
		return err
	}
	all := slices.Concat(got, left)
	slices.Sort(all)
	if !slices.IsSorted(got) || len(all) != x.total || len(got) < y.known || lost > 0 {
		return fmt.Errorf("done has %v, work %v", got, left)
	}
	for i := range all {
		if all[i] != i+1 {
			return fmt.Errorf("done has %v, work %v", got, left)
		}
	}
	var list []image
	if again {
		list = more.stop()
	}
	if err := e.Close(); err != nil {
		return err
	}
	for i, z := range list {
		if err := x.check(t, d, z, false); err != nil {
			return fmt.Errorf("second crash, image %d: %w", i, err)
		}
	}
	return nil
}

// numbers gets all messages of a queue, whose texts must be whole.
func (x *crossing) numbers(w *World, name string) (list []int, err error) {
	c := w.Client(broker.SessionConfig{})
	for {
		d, _, ok, err := c.Get(w.T.Context(), w.Queue(name), false)
		if err != nil || !ok {
			return list, errors.Join(err, c.Close(w.T.Context()))
		}
		text, err := w.Text(&d)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(text, "|")
		i, err := strconv.Atoi(number)
		if err != nil || text != x.sealed(i) {
			return list, fmt.Errorf("message %q is not as it was, %v", number, err)
		}
		list = append(list, i)
	}
}

// TestDeadLetterCrash rejects messages, small and large, whose dead letters go to
// another shard, and takes the disk at every second change.
func TestDeadLetterCrash(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 10, "large": 300_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "large" && testing.Short() {
				t.Skip("takes long")
			}
			x := crossing{total: 8, twice: true, sealed: func(i int) string {
				return Big(strconv.Itoa(i), size)
			}}
			if name == "large" {
				x.total, x.twice = 3, false
			}
			x.send = func(w *World, known func(int)) {
				c := w.Client(broker.SessionConfig{})
				for i := 1; i <= x.total; i++ {
					d, _, ok, err := c.Get(t.Context(), w.Queue("work"), false)
					if err != nil || !ok {
						t.Fatal(ok, err)
					}
					c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Reject}})
					if err := c.Flush(); err != nil {
						t.Fatal(err)
					}
					known(i)
				}
				if err := c.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			x.prove(t)
		})
	}
}

// TestMoveCrash moves messages to another shard and takes the disk at every second
// change; the next process moves on.
func TestMoveCrash(t *testing.T) {
	t.Parallel()
	x := crossing{total: 30, twice: true, sealed: func(i int) string {
		return Big(strconv.Itoa(i), 40)
	}}
	move := func(w *World, from *broker.Queue, limit int64) *broker.Move {
		spec := broker.MoveSpec{From: from, To: w.In().Queue("done"), Max: limit}
		m, err := w.Namespace.MoveMessages(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		<-m.Done()
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		return m
	}
	x.send = func(w *World, known func(int)) {
		n := 0
		for n < x.total {
			n += int(move(w, w.Queue("work"), 3).Moved())
			known(n)
		}
	}
	x.resume = func(w *World) { move(w, w.Queue("work"), 5) }
	x.prove(t)
}
