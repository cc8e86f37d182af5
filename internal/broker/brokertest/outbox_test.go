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
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// TestOutboxCrash sends numbers from one shard to another, each in a transaction
// that removes the message it answers, and takes the disk at every change. A
// process that opens what is left, and takes it at every change again, finds each
// number once, in order: nothing that was committed is lost, nothing comes twice.
func TestOutboxCrash(t *testing.T) {
	t.Parallel()
	const total = 12
	disk := storetest.NewDisk()
	w := Start(t, openEmbedded(t, disk), NewDomain(), broker.Config{})
	if err := w.OpenOther(); err != nil {
		t.Fatal(err)
	}
	w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true})
	w.In().Declare(nil, broker.QueueSpec{Name: "done", Durable: true})
	c := w.Client(broker.SessionConfig{})
	for i := 1; i <= total; i++ {
		if err := c.Send("", "work", true, strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	images := newImages(disk, 2)
	cross(t, w, c, total, images.known)
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	list := images.stop()
	if len(list) < 20 {
		t.Fatalf("only %d images were taken", len(list))
	}
	for i, x := range list {
		if err := arrived(t, w.Domain, x, total, i%10 == 0); err != nil {
			t.Fatalf("image %d, %d committed: %v", i, x.known, err)
		}
	}
}

// images are what crashes leave, with what was known before each.
type images struct {
	disk *storetest.Disk
	mu   sync.Mutex
	n    int
	list []image
}

type image struct {
	disk  *storetest.Disk
	known int
}

// newImages takes an image at every change of that many, losing none, half or all
// of what is not synced.
func newImages(disk *storetest.Disk, every int) *images {
	x := &images{disk: disk}
	disk.OnChange(func(c storetest.Change) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		if c.N%every == 0 && len(x.list) < 120 {
			x.list = append(x.list, image{disk.Lose(c.N/every%3*50, uint64(c.N)), x.n})
		}
		return nil
	})
	return x
}

func (x *images) known(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.n = n
}

func (x *images) stop() []image {
	x.disk.OnChange(nil)
	return x.list
}

// cross takes the numbers from 1 on out of work and sends them to done.
func cross(t *testing.T, w *World, c *Client, total int, known func(int)) {
	done, ok := w.Other.Topology().Queue("done")
	if !ok {
		t.Fatal("no queue")
	}
	for i := 1; i <= total; i++ {
		d, _, ok, err := c.Get(t.Context(), w.Queue("work"), false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		p := publishing(t, w, "work", strconv.Itoa(i), true)
		p.Targets = []*broker.Queue{done}
		err = c.Transact(broker.Transaction{
			Publishings: []broker.Publishing{p},
			Settlements: []broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}},
		})
		if err != nil {
			t.Fatal(err)
		}
		known(i)
	}
}

// arrived opens an image and checks that done has the numbers that work has not. If
// again, it takes images of the disk meanwhile and checks those, too.
func arrived(t *testing.T, d *Domain, x image, total int, again bool) error {
	e, err := embedded.Open(embedded.Config{Dir: "data", FS: x.disk, Shards: 3})
	if err != nil {
		return err
	}
	healthy(t, e)
	var more *images
	if again {
		more = newImages(x.disk, 1)
		more.known(x.known)
	}
	w := Start(t, e, d, broker.Config{})
	if err := w.OpenOther(); err != nil {
		return err
	}
	left, err := numbers(t, w, "work")
	if err != nil {
		return err
	}
	want := total - len(left)
	in := w.In()
	p := &player{world: w}
	err = p.until(func() bool {
		ready, _, _ := in.Queue("done").Counts()
		return int(ready) >= want
	})
	got, err2 := numbers(t, in, "done")
	if err := errors.Join(err, err2, p.crossed("parcels", "0"), w.Stop()); err != nil {
		return err
	}
	all := slices.Concat(got, left)
	for i := range all {
		if all[i] != i+1 {
			return fmt.Errorf("done has %v, work %v", got, left)
		}
	}
	if len(all) != total || len(got) < x.known {
		return fmt.Errorf("done has %v, work %v", got, left)
	}
	var list []image
	if again {
		list = more.stop()
	}
	if err := e.Close(); err != nil {
		return err
	}
	for i, y := range list {
		if err := arrived(t, d, y, total, false); err != nil {
			return fmt.Errorf("second crash, image %d: %w", i, err)
		}
	}
	return nil
}

// numbers gets all messages of a queue, which stay there, and gives their numbers.
func numbers(t *testing.T, w *World, name string) (list []int, err error) {
	c := w.Client(broker.SessionConfig{})
	for {
		d, _, ok, err := c.Get(t.Context(), w.Queue(name), false)
		if err != nil || !ok {
			return list, errors.Join(err, c.Close(t.Context()))
		}
		text, err := w.Text(&d)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
}

// TestParcelTwice lets the target have a parcel that the source could not delete:
// the next process carries it again, and it is told by its sequence, also when the
// namespace was moved to another shard before.
func TestParcelTwice(t *testing.T) {
	t.Parallel()
	for _, moved := range []bool{false, true} {
		parcelTwice(t, moved)
	}
}

func parcelTwice(t *testing.T, moved bool) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	if err := w.OpenOther(); err != nil {
		t.Fatal(err)
	}
	w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true})
	w.In().Declare(nil, broker.QueueSpec{Name: "done", Durable: true})
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("", "work", true, "1"); err != nil {
		t.Fatal(err)
	}
	// The first batch is the mark of the delivery, the second the transaction's, the
	// third deletes the parcel.
	failure := errors.New("broken")
	e.FailBatch(1, 3, failure)
	cross(t, w, c, 1, func(int) {})
	err := (&player{world: w}).until(func() bool {
		ready, _, _ := w.In().Queue("done").Counts()
		return ready == 1
	})
	if err != nil {
		t.Fatal(err)
	}
	closing := c.Close(t.Context())
	for _, err := range []error{closing, w.Stop()} {
		if err != nil && !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
	next := e.Image()()
	sh, err := next.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Shard = sh
	if n, err := w.Rows(0x28); n != 1 || err != nil {
		t.Fatalf("%d parcels are left, %v", n, err)
	}
	w = Start(t, next, w.Domain, broker.Config{})
	if moved {
		if err := w.Core.MoveNamespace(t.Context(), w.other, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.OpenOther(); err != nil {
		t.Fatal(err)
	}
	if err := (&player{world: w}).crossed("parcels", "0"); err != nil {
		t.Fatal(err)
	}
	if got, err := numbers(t, w.In(), "done"); len(got) != 1 || err != nil {
		t.Fatalf("done has %v, %v", got, err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}
