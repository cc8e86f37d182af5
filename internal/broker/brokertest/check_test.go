package brokertest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// filled gives a store that a process left with rows of all kinds: lanes, a delayed
// message, a lease, a count, parts, a shared record, deduplication ids,
// a clock, a parcel that nobody takes.
func filled(t *testing.T) (*memory.Engine, *World) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	clock := NewClock()
	w := Start(t, e, NewDomain(), clock.Use(broker.Config{}))
	err := w.OpenOther()
	// The other namespace is not open again after this, so its parcels wait.
	w.Declare(nil, broker.QueueSpec{Name: "work", Durable: true, Limits: broker.Limits{
		Dead: broker.DeadLetter{Set: true, Namespace: w.other, Key: "done", OwnKey: true},
	}})
	if err = errors.Join(err, w.Stop()); err != nil {
		t.Fatal(err)
	}
	w = Start(t, e, w.Domain, clock.Use(broker.Config{}))
	a := broker.Address{Name: "all", Kind: broker.Fanout, Durable: true}
	_, _, err = w.Namespace.DeclareAddress(t.Context(), a)
	for _, name := range []string{"q", "r"} {
		spec := broker.QueueSpec{Name: name, Durable: true, MaxPriority: 5}
		spec.Limits.Dedup = 600_000
		w.Declare(nil, spec)
		err = errors.Join(err, w.Namespace.Bind(t.Context(), broker.Binding{
			Source: "all", Queue: name,
		}))
	}
	c := w.Client(broker.SessionConfig{})
	send := func(m broker.Message, texts ...string) {
		m.Durable = true
		err = errors.Join(err, c.SendLike(m, texts...))
	}
	send(broker.Message{Key: "work"}, "dead", Big("l", 300_000))
	send(broker.Message{Key: "q", Dedup: [16]byte{1}}, "1")
	send(broker.Message{Key: "q"}, "2", Big("l", 600_000), "4")
	send(broker.Message{Key: "q", Priority: 3}, "5", "6")
	send(broker.Message{Key: "q", Delay: broker.AtMost(60_000)}, "later", "latest")
	send(broker.Message{Address: "all"}, Big("s", 9000))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // they cannot leave before the other namespace is open
		d, _, ok, err := c.Get(t.Context(), w.Queue("work"), false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Reject}})
	}
	list, err := c.Receive(t.Context(), broker.ReceiveSpec{
		Queue: w.Queue("q"), Max: 3, Bytes: 1 << 20, Lease: time.Minute,
	})
	if err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	_, err = w.Namespace.SettleLeases(t.Context(), w.Queue("q"),
		[]broker.LeaseRef{list[0].Lease}, broker.Release, false)
	w.Lock(true)
	w.Lock(false)
	if err = errors.Join(err, c.Flush(), c.Close(t.Context()), w.Stop()); err != nil {
		t.Fatal(err)
	}
	return e, w
}

// TestCheckHealthy reads what holds rows of every class and kind.
func TestCheckHealthy(t *testing.T) {
	t.Parallel()
	e, w := filled(t)
	healthy(t, e)
	kinds := map[byte]int{}
	for _, p := range stored(t, w, 0x10) {
		kinds[p.key[9]]++
	}
	for _, k := range []byte{1, 2, 3, 4} {
		if kinds[k] == 0 {
			t.Errorf("no row of kind %d", k)
		}
	}
	total := 0
	for class := range 0x30 {
		total += len(stored(t, w, byte(class)))
	}
	for _, class := range []byte{1, 2, 0x10, 0x12, 0x13, 0x20, 0x28} {
		if len(stored(t, w, class)) == 0 {
			t.Errorf("no row of class %#x", class)
		}
	}
	sum, _ := checked(t, e, 1)
	if sum.Rows != int64(total) || sum.Orphans != 0 || sum.Leftover != 0 {
		t.Errorf("%+v of %d rows", sum, total)
	}
}

// TestCheckNames damages each row of a store in several ways, one at a time, and
// wants what it is to be named.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	e, w := filled(t)
	for class := range 0x30 {
		rows := stored(t, w, byte(class))
		for i, p := range rows {
			other := rows[(i+1)%len(rows)]
			if len(p.value) > 0 {
				flipped := bytes.Clone(p.value)
				flipped[min(30, len(flipped)-1)] ^= 1
				spoil(t, e, "flipped", p, func(b *store.Batch) { b.Set(p.key, flipped) })
				spoil(t, e, "cut", p, func(b *store.Batch) { b.Set(p.key, p.value[:3]) })
			}
			if len(p.value) > 0 && len(rows) > 1 {
				spoil(t, e, "moved", p, func(b *store.Batch) { b.Set(p.key, other.value) })
			}
			longer := append(bytes.Clone(p.key), 0)
			if class != 0x13 {
				spoil(t, e, "key", p, func(b *store.Batch) { b.Set(longer, p.value) })
			}
			if needed(p.key) {
				spoil(t, e, "removed", p, func(b *store.Batch) { b.Delete(p.key) })
			}
		}
	}
}

// needed tells of what others than itself know: without counts, leases, sightings and
// clocks a store is one that had none.
func needed(key []byte) bool {
	switch key[0] {
	case 0x01:
		return key[8] > 1 // queue 1 is empty: as if it never had a message
	case 0x12:
		return true
	case 0x10:
		return key[9] <= 2
	}
	return false
}

// TestCheckMarks puts dead marks beside messages that no death is recorded of, and
// beside nothing.
func TestCheckMarks(t *testing.T) {
	t.Parallel()
	e, w := filled(t)
	p := stored(t, w, 0x10)[0]
	for _, x := range []struct {
		sequence byte // added
		body     byte
		want     string
	}{
		{0, 1, "its record does not know"}, {0, 9, "9 of the body; its message has"},
		{100, 1, "its message is not there"},
	} {
		key := bytes.Clone(p.key)
		key[9] = 5
		key[len(key)-1] += x.sequence
		_, record := halves(p.value)
		plain := binary.BigEndian.AppendUint32([]byte{1, 1}, uint32(len(record)))
		plain = append(plain, 0, 0, 0, x.body)
		box, err := w.Control.Platform().SealBox(nil, append([]byte{0, 1}, key...), plain)
		if err != nil {
			t.Fatal(err)
		}
		b := &store.Batch{}
		b.Set(key, box)
		propose(t, e, b)
		_, names := checked(t, e, 1)
		if !strings.Contains(strings.Join(names, "\n"), x.want) {
			t.Errorf("%q do not tell that %s", names, x.want)
		}
		b = &store.Batch{}
		b.Delete(key)
		propose(t, e, b)
	}
}

// spoil makes one change, checks, and takes it back.
func spoil(
	t *testing.T, e store.Engine, how string, p pair, change func(b *store.Batch),
) {
	t.Helper()
	b := &store.Batch{}
	change(b)
	propose(t, e, b)
	_, names := checked(t, e, 1)
	if len(names) == 0 {
		t.Errorf("key %x, %s: nothing is named", p.key, how)
	}
	if want := word(p.key); how != "key" && how != "removed" &&
		!slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, want) }) {
		t.Errorf("key %x, %s: %q does not name %s", p.key, how, names, want)
	}
	b = &store.Batch{}
	b.Delete(append(bytes.Clone(p.key), 0))
	b.Set(p.key, p.value)
	propose(t, e, b)
}

// word gives what the name of a row begins with.
func word(key []byte) string {
	switch key[0] {
	case 0x10:
		return []string{"message of queue \"", "delayed message of queue \"", "lease of",
			"count of", "dead mark of"}[key[9]-1]
	case 0x12: // a message that needs it tells, if there is one
		return ""
	}
	return map[byte]string{
		1: "record of queue \"", 2: "clock of namespace", 0x20: "deduplication id of queue \"",
		0x28: "parcel to shard 2", 0x29: "sequence taken from",
	}[key[0]]
}

func propose(t *testing.T, e store.Engine, b *store.Batch) {
	t.Helper()
	sh, err := e.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	sh.Propose(b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
