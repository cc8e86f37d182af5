package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// receiveAll receives until the queue has nothing.
func receiveAll(c *Client, q *broker.Queue, lease time.Duration) ([]broker.Delivery, error) {
	var all []broker.Delivery
	for {
		spec := broker.ReceiveSpec{Queue: q, Max: broker.MaxReceive, Lease: lease}
		list, err := c.Receive(c.world.T.Context(), spec)
		if err != nil || len(list) == 0 {
			return all, err
		}
		all = append(all, list...)
	}
}

func numbered(from, to int) (texts []string) {
	for i := from; i <= to; i++ {
		texts = append(texts, strconv.Itoa(i))
	}
	return texts
}

// leased is what the outside knows at an instant, by the number of the message.
type leased struct {
	confirmed int // 1 to confirmed were confirmed
	handed    map[int]broker.LeaseRef
	asked     map[int]bool // asked to be accepted, durable or not
	settled   map[int]bool // and that is durable
}

func (l *leased) clone() leased {
	next := leased{confirmed: l.confirmed, handed: map[int]broker.LeaseRef{}}
	next.asked, next.settled = map[int]bool{}, map[int]bool{}
	for i, ref := range l.handed {
		next.handed[i] = ref
	}
	for i := range l.asked {
		next.asked[i] = true
	}
	for i := range l.settled {
		next.settled[i] = true
	}
	return next
}

// TestLeasesCrashAnywhere takes the disk at many of the changes that receives
// make, and checks what a new process hands out.
func TestLeasesCrashAnywhere(t *testing.T) {
	t.Parallel()
	const every, images, total = 5, 30, 400
	disk, clock := storetest.NewDisk(), NewClock()
	w := Start(t, openEmbedded(t, disk), NewDomain(), clock.Use(Tiny()))
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
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
	leaseLoad(t, w, total, func(fn func(*leased)) {
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
		if err := leasesSurvive(t, w.Domain, c.disk, &c.known); err != nil {
			t.Fatalf("image %d: %v", i, err)
		}
	}
}

// leaseLoad publishes, receives, and accepts two of three.
func leaseLoad(t *testing.T, w *World, total int, note func(func(*leased))) {
	c, q := w.Client(broker.SessionConfig{}), w.Queue("q")
	for i := 1; i <= total; i += 10 {
		if err := c.Send("", "q", true, numbered(i, i+9)...); err != nil {
			t.Fatal(err)
		}
		note(func(l *leased) { l.confirmed = i + 9 })
		spec := broker.ReceiveSpec{Queue: q, Max: 7, Lease: time.Minute}
		list, err := c.Receive(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		var refs []broker.LeaseRef
		var accepted []int
		for k := range list {
			text, err := w.Text(&list[k])
			if err != nil {
				t.Fatal(err)
			}
			n, _ := strconv.Atoi(text)
			note(func(l *leased) { l.handed[n] = list[k].Lease })
			if n%3 != 0 {
				refs, accepted = append(refs, list[k].Lease), append(accepted, n)
			}
		}
		note(func(l *leased) {
			for _, n := range accepted {
				l.asked[n] = true
			}
		})
		_, err = w.Namespace.SettleLeases(t.Context(), q, refs, broker.Accept, false)
		if err != nil {
			t.Fatal(err)
		}
		note(func(l *leased) {
			for _, n := range accepted {
				l.settled[n] = true
			}
		})
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// leasesSurvive opens what a crash left: before the deadline nothing comes that
// was handed out, after it all the rest.
func leasesSurvive(t *testing.T, d *Domain, disk *storetest.Disk, known *leased) error {
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
	early, err := receiveAll(c, q, time.Hour)
	if err != nil {
		return err
	}
	seen := map[int]bool{}
	for i := range early {
		n, err := number1(w, &early[i], seen)
		if _, handed := known.handed[n]; err != nil || handed {
			return fmt.Errorf("message %d came while it was leased: %w", n, err)
		}
	}
	clock.Advance(time.Minute)
	ready, held := 0, 0
	for end := time.Now().Add(patience()); held != len(early) && time.Now().Before(end); {
		if err := c.Flush(); err != nil {
			return err
		}
		r, u, _ := q.Counts()
		ready, held = int(r), int(u)
	}
	late, err := receiveAll(c, q, time.Hour)
	if err != nil || len(late) != ready {
		return fmt.Errorf("%d of %d messages came back: %w", len(late), ready, err)
	}
	for i := range late {
		n, err := number1(w, &late[i], seen)
		if err != nil || late[i].Count != 1 {
			return fmt.Errorf("message %d came back after %d: %w", n, late[i].Count, err)
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

// number1 gives the number that a delivery holds, which must be new.
func number1(w *World, d *broker.Delivery, seen map[int]bool) (int, error) {
	text, err := w.Text(d)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if seen[n] {
		return n, errors.New("it came twice")
	}
	seen[n] = true
	return n, err
}

// TestReceivesWithdraw lets receives be given up at any moment: all messages come
// to those who stay, and nothing stays leased.
func TestReceivesWithdraw(t *testing.T) {
	t.Parallel()
	const total, workers = 2000, 6
	w := Start(t, memory.New(memory.Config{Shards: 3}), NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	var mu sync.Mutex
	seen := map[int]bool{}
	var work sync.WaitGroup
	for i := range workers {
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				mu.Lock()
				done := len(seen) == total
				mu.Unlock()
				if done || t.Failed() {
					return
				}
				patient := time.Duration(random.IntN(200)) * time.Microsecond
				ctx, cancel := context.WithTimeout(t.Context(), patient)
				list, err := c.Receive(ctx, broker.ReceiveSpec{
					Queue: q, Max: 5, Lease: time.Hour, Wait: 10 * time.Millisecond,
				})
				cancel()
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					continue
				}
				var refs []broker.LeaseRef
				mu.Lock()
				for k := range list {
					refs = append(refs, list[k].Lease)
					if n, err := number1(w, &list[k], seen); err != nil {
						t.Errorf("message %d: %v", n, err)
					}
				}
				mu.Unlock()
				settleAll(t, w, q, refs)
			}
		})
	}
	for i := 1; i <= total; i += 10 {
		if err := c.Send("", "q", true, numbered(i, i+9)...); err != nil {
			t.Error(err)
		}
	}
	work.Wait()
	if err := c.Flush(); err != nil { // behind the last that was withdrawn
		t.Error(err)
	}
	if ready, held, _ := q.Counts(); ready != 0 || held != 0 || q.Receiving() != 0 {
		t.Errorf("%d ready, %d leased, %d waiting", ready, held, q.Receiving())
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}

func settleAll(t *testing.T, w *World, q *broker.Queue, refs []broker.LeaseRef) {
	results, err := w.Namespace.SettleLeases(t.Context(), q, refs, broker.Accept, false)
	for _, r := range results {
		if r != broker.LeaseDone {
			t.Errorf("result %d of a settlement", r)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestOpenManyLeases opens a queue of which 100 000 messages are leased.
func TestOpenManyLeases(t *testing.T) {
	t.Parallel()
	total := 100_000
	if testing.Short() {
		total = 10_000
	}
	disk := storetest.NewDisk()
	e := openEmbedded(t, disk)
	w := Start(t, e, NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	for i := 1; i <= total; i += 200 {
		if err := c.Send("", "q", true, numbered(i, i+199)...); err != nil {
			t.Fatal(err)
		}
	}
	list, err := receiveAll(c, q, time.Hour)
	if err != nil || len(list) != total {
		t.Fatalf("%d messages were received: %v", len(list), err)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop(), e.Close()); err != nil {
		t.Fatal(err)
	}
	e = openEmbedded(t, disk)
	begin := time.Now()
	w = Start(t, e, w.Domain, broker.Config{})
	took := time.Since(begin)
	t.Logf("opened with %d leases in %v", total, took)
	q = w.Queue("q")
	if ready, held, _ := q.Counts(); ready != 0 || int(held) != total || took > patience() {
		t.Errorf("%d ready and %d leased after %v", ready, held, took)
	}
	settleAll(t, w, q, []broker.LeaseRef{list[0].Lease, list[total-1].Lease})
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedLease finds a lease that was moved, changed or made up.
func TestDamagedLease(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *store.Batch, p pair){
		"changed": func(b *store.Batch, p pair) { b.Set(p.key, append(p.value, 0)) },
		"moved": func(b *store.Batch, p pair) {
			p.key[len(p.key)-1]++
			b.Set(p.key, p.value)
		},
	} {
		e := memory.New(memory.Config{Shards: 3})
		w := Start(t, e, NewDomain(), broker.Config{})
		q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
		c := w.Client(broker.SessionConfig{})
		if err := c.Send("", "q", true, "1", "2"); err != nil {
			t.Fatal(err)
		}
		spec := broker.ReceiveSpec{Queue: q, Max: 1, Lease: time.Hour}
		if _, err := c.Receive(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
			t.Fatal(err)
		}
		b := &store.Batch{}
		for _, p := range stored(t, w, 0x10) {
			if p.key[9] == 3 {
				change(b, p)
			}
		}
		done := make(chan error, 1)
		w.Shard.Propose(b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil || b.Len() != 1 {
			t.Fatal(b.Len(), err)
		}
		w = Start(t, e, w.Domain, broker.Config{})
		spec.Queue, c = w.Queue("q"), w.Client(broker.SessionConfig{})
		_, err := c.Receive(t.Context(), spec)
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: received with %v", name, err)
		}
		if _, err := w.Namespace.PurgeQueue(t.Context(), spec.Queue); err != nil {
			t.Errorf("%s: purge: %v", name, err)
		}
		err = errors.Join(c.Close(t.Context()), w.Stop())
		w = Start(t, e, w.Domain, broker.Config{})
		c = w.Client(broker.SessionConfig{})
		if err := errors.Join(err, c.Send("", "q", true, "3")); err != nil {
			t.Errorf("%s: after the purge: %v", name, err)
		}
		spec.Queue = w.Queue("q")
		if list, err := c.Receive(t.Context(), spec); err != nil || len(list) != 1 {
			t.Errorf("%s: after the purge: %d messages, %v", name, len(list), err)
		}
		if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
			t.Error(err)
		}
	}
}

// TestReceiveBounds refuses what has no sense.
func TestReceiveBounds(t *testing.T) {
	t.Parallel()
	w := Start(t, memory.New(memory.Config{Shards: 3}), NewDomain(), broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q"})
	c := w.Client(broker.SessionConfig{})
	for _, spec := range []broker.ReceiveSpec{
		{Queue: q}, {Queue: q, Max: broker.MaxReceive + 1}, {Queue: q, Max: 1, Lease: -1},
		{Queue: q, Max: 1, Wait: -1},
	} {
		if _, err := c.Receive(t.Context(), spec); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	if err := c.Send("", "q", true, "1", "2", "3"); err != nil {
		t.Fatal(err)
	}
	small := broker.ReceiveSpec{Queue: q, Max: 9, Bytes: 10, Lease: time.Hour}
	if list, err := c.Receive(t.Context(), small); err != nil || len(list) != 1 {
		t.Errorf("%d messages came for 10 bytes: %v", len(list), err)
	}
	n := w.Namespace
	many := make([]broker.LeaseRef, broker.MaxLeaseRefs+1)
	_, err := n.SettleLeases(t.Context(), q, many, broker.Accept, false)
	_, err2 := n.SettleLeases(t.Context(), q, many[:1], 0, false)
	_, err3 := n.ExtendLeases(t.Context(), q, []broker.Extension{{By: -1}})
	for _, err := range []error{err, err2, err3} {
		if fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkReceiveSettle receives and accepts batches of ten messages of 1 KiB.
func BenchmarkReceiveSettle(b *testing.B) {
	for _, engine := range []string{"embedded", "memory"} {
		b.Run(engine, func(b *testing.B) {
			w := Start(b, benchEngine(b, engine), NewDomain(), broker.Config{})
			q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
			c := w.Client(broker.SessionConfig{})
			refs := make([]broker.LeaseRef, 0, 10)
			spec := broker.ReceiveSpec{Queue: q, Max: 10, Lease: time.Minute, Wait: time.Minute}
			b.ReportAllocs()
			for left := 0; b.Loop(); left -= len(refs) {
				if left <= 0 {
					b.StopTimer()
					benchFill(b, w, c, 2000)
					left = 2000
					b.StartTimer()
				}
				list, err := c.Receive(b.Context(), spec)
				if err != nil {
					b.Fatal(err)
				}
				refs = refs[:0]
				for i := range list {
					refs = append(refs, list[i].Lease)
				}
				_, err = w.Namespace.SettleLeases(b.Context(), q, refs, broker.Accept, false)
				if err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := errors.Join(c.Close(context.Background()), w.Stop()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func benchFill(b *testing.B, w *World, c *Client, n int) {
	body := make([]byte, 1<<10)
	var pubs []broker.Publishing
	for range n {
		m, err := w.Namespace.Seal(nil, broker.Content{Body: body}, seal.Facts{})
		if err != nil {
			b.Fatal(err)
		}
		m.Durable = true
		pubs = append(pubs, broker.Publishing{Message: m, Targets: []*broker.Queue{w.Queue("q")}})
	}
	if err := errors.Join(c.Publish(b.Context(), pubs), c.Flush()); err != nil {
		b.Fatal(err)
	}
}

// TestManyDelayed holds that delayed messages take no memory and come in order.
func TestManyDelayed(t *testing.T) {
	t.Parallel()
	const total = 30_000
	clock, disk := NewClock(), storetest.NewDisk()
	e := openEmbedded(t, disk)
	cfg := clock.Use(broker.Config{QueueBytes: 256 << 10, PageBytes: 64 << 10})
	w := Start(t, e, NewDomain(), cfg)
	limits := broker.Limits{Delay: 1000}
	w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true, Limits: limits})
	c := w.Client(broker.SessionConfig{})
	for i := 1; i <= total; i += 100 {
		if err := c.Send("", "q", true, numbered(i, i+99)...); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.Core.Stats(); s.Memory != 0 || s.Delayed != total || s.Ready != 0 {
		t.Fatalf("%d bytes in memory, %d delayed, %d ready", s.Memory, s.Delayed, s.Ready)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop(), e.Close()); err != nil {
		t.Fatal(err)
	}
	w = Start(t, openEmbedded(t, disk), w.Domain, cfg)
	c = w.Client(broker.SessionConfig{})
	consumer := broker.ConsumerSpec{
		Queue: w.Queue("q"), Credit: 100, Replenish: true, AutoSettle: true,
	}
	if _, err := c.Consume(t.Context(), consumer); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Second)
	begin := time.Now()
	for i := range total {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		text, err := w.Text(&ev.Delivery)
		if err != nil || text != strconv.Itoa(i+1) {
			t.Fatalf("delivery %d is %q: %v", i+1, text, err)
		}
		if i == 0 {
			t.Logf("the first of %d was due and here after %v", total, time.Since(begin))
		}
	}
	if err := errors.Join(c.Flush(), c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
}
