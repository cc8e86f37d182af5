package brokertest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// shelf is what queues p and q must hold: texts in order.
type shelf map[string][]string

func (s shelf) clone() shelf {
	c := shelf{}
	for name, texts := range s {
		c[name] = slices.Clone(texts)
	}
	return c
}

func (s shelf) equal(o shelf) bool { return maps.EqualFunc(s, o, slices.Equal) }

// bodySizes are the sizes of the messages of the test by the first letter of
// their text: inline, shared, in parts.
func bodySize(text string) int {
	return map[byte]int{'i': 100, 's': 9000, 'l': 600_000}[text[0]]
}

// bodies gives the chunks and references that must be stored for s. Messages
// whose text ends in 2 were sent to both queues.
func (s shelf) bodies() (chunks, refs int) {
	seen := map[string]bool{}
	for _, texts := range s {
		for _, text := range texts {
			parts := (bodySize(text) + 256<<10 - 1) >> 18
			if bodySize(text) < 256<<10 {
				parts = 0
			}
			if strings.HasSuffix(text, "2") && parts == 0 && bodySize(text) > 4<<10 {
				parts = 1 // the record
			}
			if parts == 0 {
				continue
			}
			refs++
			if !seen[text] {
				seen[text] = true
				chunks += parts
				refs++
			}
		}
	}
	return chunks, refs
}

// step is one thing done to the queues, and its effect.
type step struct {
	name string
	do   func(w *World, c *Client) error
	then func(s shelf)
}

// send publishes to the address, or to queue q.
func send(address, key string, text string, queues ...string) step {
	return step{"send " + text, func(w *World, c *Client) error {
		return c.Send(address, key, true, Big(text, bodySize(text)))
	}, func(s shelf) {
		for _, q := range queues {
			s[q] = append(s[q], text)
		}
	}}
}

func accept(queue string) step {
	return step{"accept " + queue, func(w *World, c *Client) error {
		d, _, ok, err := c.Get(w.T.Context(), w.Queue(queue), false)
		if err != nil || !ok {
			return fmt.Errorf("get: %v %w", ok, err)
		}
		c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
		return c.Flush()
	}, func(s shelf) { s[queue] = s[queue][1:] }}
}

func purge(queue string) step {
	return step{"purge " + queue, func(w *World, c *Client) error {
		_, err := w.Namespace.PurgeQueue(w.T.Context(), w.Queue(queue))
		return err
	}, func(s shelf) { s[queue] = []string{} }}
}

func bodySteps() []step {
	steps := []step{
		send("", "q", "i1", "q"), send("", "q", "l1", "q"), send("all", "", "l12", "p", "q"),
		send("all", "", "s12", "p", "q"), accept("q"), accept("q"), accept("p"),
		send("all", "", "l22", "p", "q"), send("", "q", "l2x", "q"), purge("p"), accept("q"),
		send("all", "", "s22", "p", "q"), accept("p"), accept("q"), accept("q"), purge("q"),
		send("all", "", "l32", "p", "q"), send("", "q", "s3", "q"), accept("q"), accept("p"),
	}
	return steps
}

func startShelf(t *testing.T, e store.Engine, d *Domain) *World {
	w := Start(t, e, d, Tiny())
	a := broker.Address{Name: "all", Kind: broker.Fanout, Durable: true}
	if _, _, err := w.Namespace.DeclareAddress(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"p", "q"} {
		w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
		b := broker.Binding{Source: "all", Queue: name}
		if err := w.Namespace.Bind(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestCrashWithBodies takes the disk at many of the changes while large messages are
// published, fanned out, accepted and purged. What a new process finds is the
// state before or after the step, every message whole, and once it has looked
// around, nothing of others.
func TestCrashWithBodies(t *testing.T) {
	t.Parallel()
	const every = 7 // there are about 300
	disk := storetest.NewDisk()
	w := startShelf(t, openEmbedded(t, disk), NewDomain())
	type image struct {
		disk          *storetest.Disk
		step          string
		before, after shelf
	}
	var mu sync.Mutex
	var images []image
	now := image{before: shelf{"p": {}, "q": {}}, after: shelf{"p": {}, "q": {}}}
	disk.OnChange(func(c storetest.Change) error {
		mu.Lock()
		defer mu.Unlock()
		if c.N%every != 0 {
			return nil
		}
		im := now
		im.disk = disk.Lose(c.N%3*50, uint64(c.N))
		images = append(images, im)
		return nil
	})
	c := w.Client(broker.SessionConfig{})
	for _, s := range bodySteps() {
		mu.Lock()
		now.step, now.before, now.after = s.name, now.after, now.after.clone()
		s.then(now.after)
		mu.Unlock()
		if err := s.do(w, c); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	disk.OnChange(nil)
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	if len(images) < len(bodySteps()) {
		t.Fatalf("only %d images were taken", len(images))
	}
	for i, im := range images {
		if err := surviveShelf(t, w.Domain, im.disk, im.before, im.after); err != nil {
			t.Fatalf("image %d of %d, in %s: %v", i, len(images), im.step, err)
		}
	}
}

// surviveShelf opens what a crash left.
func surviveShelf(t *testing.T, d *Domain, disk *storetest.Disk, before, after shelf) error {
	e, err := embedded.Open(embedded.Config{Dir: "data", FS: disk, Shards: 3})
	if err != nil {
		return err
	}
	healthy(t, e)
	w := Start(t, e, d, Tiny())
	c := w.Client(broker.SessionConfig{})
	got := shelf{"p": {}, "q": {}}
	for name := range got {
		if got[name], err = drain(w, c, name); err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
	}
	if !got.equal(before) && !got.equal(after) {
		return fmt.Errorf("it holds %v, not %v nor %v", got, before, after)
	}
	chunks, refs := got.bodies()
	err = w.Bodies(chunks, refs)
	return errors.Join(err, c.Close(t.Context()), w.Stop(), e.Close())
}

// drain gets all that is ready and leaves it unsettled.
func drain(w *World, c *Client, queue string) ([]string, error) {
	texts := []string{}
	for {
		d, _, ok, err := c.Get(w.T.Context(), w.Queue(queue), false)
		if err != nil || !ok {
			return texts, err
		}
		body, err := w.Text(&d)
		if err != nil {
			return texts, err
		}
		text, err := shorten(body)
		if err != nil {
			return texts, err
		}
		text, _, _ = strings.Cut(text, "/")
		texts = append(texts, text)
	}
}

// TestTamperedBodies changes chunks with no core running. A message whose bytes
// are not all its own is never served.
func TestTamperedBodies(t *testing.T) {
	t.Parallel()
	flip := func(at int) func(b *store.Batch, c []pair) {
		return func(b *store.Batch, c []pair) {
			v := bytes.Clone(c[1].value)
			if at < 0 {
				at += len(v)
			}
			v[at] ^= 1
			b.Set(c[1].key, v)
		}
	}
	for name, change := range map[string]func(b *store.Batch, chunks []pair){
		"version flipped": flip(0), "flags flipped": flip(2), "id flipped": flip(20),
		"number flipped": flip(35), "nonce flipped": flip(40), "text flipped": flip(1000),
		"tag flipped":        flip(-1),
		"two parts swapped":  func(b *store.Batch, c []pair) { exchange(b, c[0], c[1]) },
		"last part swapped":  func(b *store.Batch, c []pair) { exchange(b, c[1], c[2]) },
		"part of another":    func(b *store.Batch, c []pair) { b.Set(c[1].key, c[4].value) },
		"last of another":    func(b *store.Batch, c []pair) { b.Set(c[2].key, c[5].value) },
		"last part missing":  func(b *store.Batch, c []pair) { b.Delete(c[2].key) },
		"first part missing": func(b *store.Batch, c []pair) { b.Delete(c[0].key) },
		"all parts missing":  func(b *store.Batch, c []pair) { b.DeleteRange(c[0].key, c[3].key) },
		"part cut":           func(b *store.Batch, c []pair) { b.Set(c[1].key, c[1].value[:99]) },
		"empty part":         func(b *store.Batch, c []pair) { b.Set(c[1].key, nil) },
		"last mark on another": func(b *store.Batch, c []pair) {
			b.Set(c[1].key, flagged(c[1].value, seal.FlagPart|seal.FlagLast))
		},
		"last mark missing": func(b *store.Batch, c []pair) {
			b.Set(c[2].key, flagged(c[2].value, seal.FlagPart))
		},
		"one part less": func(b *store.Batch, c []pair) {
			b.Set(c[1].key, c[2].value)
			b.Delete(c[2].key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tamperedBodies(t, change)
			c := w.Client(broker.SessionConfig{})
			texts, err := drain(w, c, "q")
			refused := errors.Is(err, store.ErrDamaged) || errors.Is(err, seal.ErrOpen) ||
				errors.Is(err, seal.ErrFormat) // not an error of the test about what was served
			if !refused || len(texts) > 0 {
				t.Errorf("served %q, %v", texts, err)
			}
			if texts, err := drain(w, c, "r"); err != nil || !slices.Equal(texts, []string{"l2"}) {
				t.Errorf("of the other message: %q, %v", texts, err)
			}
			closed(t, c)
		})
	}
}

// tamperedBodies puts one message of three parts into q, then one into r, changes
// their chunks and opens a core over the result.
func tamperedBodies(t *testing.T, change func(b *store.Batch, chunks []pair)) *World {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	c := w.Client(broker.SessionConfig{})
	for i, name := range []string{"q", "r"} {
		w.Declare(nil, broker.QueueSpec{Name: name, Durable: true})
		if err := c.Send("", name, true, Big(fmt.Sprint("l", i+1), 3<<18)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	chunks := stored(t, w, classBody)
	if len(chunks) != 6 {
		t.Fatalf("%d chunks are stored", len(chunks))
	}
	// Ids grow with time only to the millisecond.
	if first := firstBody(t, w); !bytes.Contains(chunks[0].key, first) {
		chunks = append(chunks[3:], chunks[:3]...)
	}
	b := &store.Batch{}
	change(b, chunks)
	done := make(chan error, 1)
	w.Shard.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w = Start(t, e, w.Domain, broker.Config{})
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// flagged seals a part once more, with other flags; nil if it cannot.
func flagged(record []byte, flags uint8) []byte {
	d := NewDomain() // all have the same secret
	h, err := seal.ParseRecord(record)
	if err != nil {
		return nil
	}
	plain, err := d.Open(nil, record)
	if err != nil {
		return nil
	}
	h.Flags = flags
	if record, err = d.Seal(nil, h, plain); err != nil {
		return nil
	}
	return record
}

func exchange(b *store.Batch, x, y pair) {
	b.Set(x.key, y.value)
	b.Set(y.key, x.value)
}

// firstBody gives the id of the message in the first queue.
func firstBody(t *testing.T, w *World) []byte {
	t.Helper()
	entry := stored(t, w, 0x10)[0].key
	for _, p := range stored(t, w, classRef) {
		if bytes.HasSuffix(p.key, entry) {
			return p.key[1:17]
		}
	}
	t.Fatal("no reference to the first message")
	return nil
}

// TestLockInParts takes the key away while a large message is opened: nothing of
// it is given, nothing is settled, and it comes again when the key is back.
func TestLockInParts(t *testing.T) {
	t.Parallel()
	w, _ := startOnMemory(t, broker.Config{})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{})
	const size = 3 << 18
	if err := c.Send("", "q", true, Big("1", size)); err != nil {
		t.Fatal(err)
	}
	spec := broker.ConsumerSpec{Queue: q, Credit: -1, AutoSettle: true}
	if _, err := c.Consume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	for after := range 4 { // a head and three parts
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		d := &ev.Delivery
		if d.Size < size || len(d.Record) > 1000 || d.Redelivered {
			t.Fatalf("a delivery of %d bytes with a record of %d", d.Size, len(d.Record))
		}
		w.Domain.LockAfter(after)
		dst := make([]byte, 0, d.Size)
		if _, err := w.Namespace.OpenDelivery(dst, d); fault.KindOf(err) != fault.KeyUnavailable {
			t.Fatalf("locked after %d: %v", after, err)
		}
		if n := bytes.Count(dst[:cap(dst)], []byte{0}); n != cap(dst) {
			t.Fatalf("locked after %d: %d bytes of plaintext are left", after, cap(dst)-n)
		}
		c.Return([]broker.DeliveryRef{d.Ref})
		w.Domain.Unlock()
	}
	ev, err := c.Wait(broker.Delivered)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := w.Text(&ev.Delivery); err != nil || text != Big("1", size) {
		t.Fatalf("%d bytes at the end, %v", len(text), err)
	}
	if err := w.Bodies(0, 0); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
}

// TestLargestMessages holds that queues of large messages are not in memory, and
// that they are whole at the other end.
func TestLargestMessages(t *testing.T) {
	t.Parallel()
	const count, size, window = 24, 2 << 20, 4 << 20
	w, _ := startOnMemory(t, broker.Config{PublishBytes: window, WindowBytes: window})
	q := w.Declare(nil, broker.QueueSpec{Name: "q", Durable: true})
	c := w.Client(broker.SessionConfig{PublishBytes: window})
	for i := range count {
		if err := c.Send("", "q", true, Big(fmt.Sprint(i), size)); err != nil {
			t.Fatal(err)
		}
		if s := w.Core.Stats(); s.Memory > 1000*int64(i+1) {
			t.Fatalf("%d bytes of %d messages are in memory", s.Memory, i+1)
		}
	}
	spec := broker.ConsumerSpec{Queue: q, Credit: -1, AutoSettle: true}
	if _, err := c.Consume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, size+1<<10)
	for i := range count {
		ev, err := c.Wait(broker.Delivered)
		if err != nil {
			t.Fatal(err)
		}
		content, err := w.Namespace.OpenDelivery(dst, &ev.Delivery)
		if err != nil || string(content.Body) != Big(fmt.Sprint(i), size) {
			t.Fatalf("message %d: %d bytes, %v", i, len(content.Body), err)
		}
		if &content.Body[:1][0] != &dst[:cap(dst)][5+len(content.Header)] {
			t.Fatal("it was not opened in place")
		}
	}
	if err := w.Bodies(0, 0); err != nil {
		t.Fatal(err)
	}
	closed(t, c)
}

// TestSweep leaves bodies with more useless references than fit one look, and one
// that is needed behind them.
func TestSweep(t *testing.T) {
	t.Parallel()
	const queues = 1100
	e := memory.New(memory.Config{Shards: 3})
	w := Start(t, e, NewDomain(), broker.Config{})
	declareBound(t, w, queues)
	c := w.Client(broker.SessionConfig{})
	if err := c.Send("all", "", true, Big("1", 5000), Big("2", 300_000)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	w = Start(t, e, w.Domain, broker.Config{})
	for i := range queues - 1 { // nothing of them is in memory
		q := w.Queue(fmt.Sprint("q", i))
		if n, err := w.Namespace.PurgeQueue(t.Context(), q); n != 2 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Bodies(3, 4); err != nil {
		t.Fatal(err)
	}
	c = w.Client(broker.SessionConfig{})
	last := fmt.Sprint("q", queues-1)
	if texts, err := drain(w, c, last); err != nil || !slices.Equal(texts, []string{"1", "2"}) {
		t.Fatal(texts, err)
	}
	closed(t, c)
	if _, err := w.Namespace.PurgeQueue(t.Context(), w.Queue(last)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Bodies(0, 0), w.Stop()); err != nil {
		t.Fatal(err)
	}
}
