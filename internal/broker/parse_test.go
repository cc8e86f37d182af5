package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// testPlace gives a place under a fixed key, and a record that it may hold.
func testPlace(t testing.TB) (*place, []byte) {
	t.Helper()
	epochs, err := seal.NewEpochs(make([]byte, seal.KeySize), "platform", 1)
	if err != nil {
		t.Fatal(err)
	}
	h := seal.Header{ID: [16]byte{5}}
	record, err := epochs.SealRecord(nil, h, seal.DomainID{}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return &place{platform: epochs, shard: 3}, record
}

func FuzzEnvelope(f *testing.F) {
	_, record := testPlace(f)
	again := testHistory().With(Death{Queue: "q", Reason: Expired, Address: "y"})
	full := facts{
		body: 5, count: 7, enqueued: 1700, expires: 1800, own: 101, lasting: true, priority: 9,
		address: "address", key: "key",
		extra: &extra{group: "g", history: again, copies: []string{"c", ""}},
	}
	for _, fact := range []facts{full, {address: "a"}} {
		plain, err := appendEnvelope(nil, record, &fact)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
		f.Add(plain[:len(plain)-3])
	}
	f.Add(append([]byte{1}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		e, err := parseEnvelope(p)
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) {
				t.Fatalf("error %v is not one of the format", err)
			}
			return
		}
		// What parses is what would have been written for such a record.
		rec := bytes.Clone(record)
		copy(rec[15:31], e.id[:])
		copy(rec[len(rec)-16:], e.tag[:])
		if err := e.names(rec); err != nil {
			t.Fatal(err)
		}
		if p[0] == 1 {
			return // an older version is only read
		}
		known := e.facts
		known.address, known.key = string(e.address), string(e.key)
		again, err := appendEnvelope(nil, rec, &known)
		if err != nil || !bytes.Equal(again, p) {
			t.Fatalf("%x came back as %x, %v", p, again, err)
		}
	})
}

func FuzzQueueRecord(f *testing.F) {
	r := queueRecord{next: 9, lanes: []laneRecord{
		{9, stock{depth: 2, bytes: 300, body: 20, first: 4, delivered: 5}},
		{3, stock{depth: 1, bytes: 9, first: 2, expires: true, marks: true}},
		{0, stock{depth: 1, bytes: 30, body: 2, first: 1, delivered: 1}},
	}}
	f.Add(r.append(nil))
	f.Add(r.append(nil)[:40])
	r.delayed, r.due = 4, 1800
	f.Add(r.append(nil))
	f.Add(append([]byte{1}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseQueueRecord(p)
		if err != nil {
			return
		}
		if again := r.append(nil); p[0] != 1 && !bytes.Equal(again, p) {
			t.Fatalf("%x came back as %x", p, again)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(recordKey(nil, 6))
	f.Add(entryKey(nil, classDurable, 6, 4, 8))
	f.Add(entryKey(nil, classSpilled, temporaryQueue|1, 0, 1<<63))
	f.Add(delayedKey(nil, classSpilled, 6, 1800, 7, 9))
	f.Fuzz(func(t *testing.T, key []byte) {
		if id, err := parseRecordKey(key); err == nil && !bytes.Equal(recordKey(nil, id), key) {
			t.Fatalf("record key %x does not come back", key)
		}
		if due, seq, priority, err := parseDelayedKey(key); err == nil {
			c, id := class(key[0]), queueID(binary.BigEndian.Uint64(key[1:]))
			if !bytes.Equal(delayedKey(nil, c, id, due, seq, priority), key) {
				t.Fatalf("key %x of a delayed message does not come back", key)
			}
		}
		c, id, priority, seq, err := parseEntryKey(key)
		if err == nil && !bytes.Equal(entryKey(nil, c, id, priority, seq), key) {
			t.Fatalf("message key %x does not come back", key)
		}
		if err == nil {
			lower, upper := queueRange(c, id)
			if bytes.Compare(key, lower) < 0 || bytes.Compare(key, upper) >= 0 {
				t.Fatalf("%x is outside the range of its queue", key)
			}
		}
	})
}

// FuzzValue reads a stored value of any bytes as the reader does.
func FuzzValue(f *testing.F) {
	p, record := testPlace(f)
	key := entryKey(nil, classDurable, 1, 0, 1)
	sh := &shard{place: *p, batch: &batch{}}
	e := &entry{lane: &lane{queue: &Queue{id: 1}}, seq: 1, record: record, durable: true}
	e.address, e.key = "a", "k"
	if !sh.write(e) {
		f.Fatal(sh.err)
	}
	op := sh.batch.Ops()[0]
	good := slices.Concat(op.Value, op.Tail)
	f.Add(good)
	f.Add(good[:30])
	f.Fuzz(func(t *testing.T, v []byte) {
		r := &reader{place: *p}
		j := &readJob{}
		err := r.take(j, key, v)
		if err == nil && (j.found[0].address != "a" || j.found[0].key != "k") {
			t.Fatal("an envelope that nobody sealed was taken")
		}
		if err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("error %v does not say damaged", err)
		}
	})
}

func FuzzRows(f *testing.F) {
	spec := QueueSpec{Name: "q", Durable: true, Arguments: []byte("args")}
	f.Add(appendQueueRow(nil, &spec))
	spec.Groups, spec.MaxPriority = true, 9
	spec.Limits = Limits{
		Expiry: AtMost(0), MaxBytes: AtMost(1 << 40), Delay: 5, Overflow: DeadLetterRefuse,
		Dead: DeadLetter{Set: true, Address: "x", Key: "k", OwnKey: true},
	}
	f.Add(appendQueueRow(nil, &spec))
	spec.Groups, spec.MaxPriority, spec.Fair = false, 0, true
	spec.Limits.Dead.KeepTime, spec.Limits.Dead.Rounds = true, true
	f.Add(appendQueueRow(nil, &spec))
	f.Add(appendAddressRow(nil, &Address{Name: "a", Kind: Pattern, Durable: true}))
	f.Add(appendAddressRow(nil, &Address{Name: "a", Kind: Hashed, Durable: true, Alternate: "b"}))
	f.Add(appendBindingRow(nil, &binding{key: bindingKey{"a", "k", "x"}, queue: &Queue{id: 4}}))
	post := &Queue{post: true, spec: QueueSpec{Name: "b"}}
	f.Add(appendBindingRow(nil, &binding{key: bindingKey{"a", "k", "x"}, queue: post}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if s, err := parseQueueRow(p); err == nil && p[0] == queueRowVersion &&
			p[1]&^(flagDurable|flagAutoDelete|flagGroups|flagSingle|flagFair) == 0 &&
			p[1]&flagDurable != 0 && !bytes.Equal(appendQueueRow(nil, &s), p) {
			t.Fatalf("queue row %x does not come back", p)
		}
		if a, err := parseAddressRow(p); err == nil && p[0] == addressRowVersion &&
			p[1]&^7 == 0 && p[1]&flagDurable != 0 && !bytes.Equal(appendAddressRow(nil, &a), p) {
			t.Fatalf("address row %x does not come back", p)
		}
		id, onward, key, err := parseBindingRow(p)
		end := &Queue{id: id, post: onward != "", spec: QueueSpec{Name: onward}}
		again := appendBindingRow(nil, &binding{key: key, queue: end})
		if err == nil && !bytes.Equal(again, p) {
			t.Fatalf("binding row %x does not come back", p)
		}
	})
}

func FuzzContent(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 2, 'h', 'h', 'b'})
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := parseContent(p)
		if err == nil && len(c.Header)+len(c.Body)+contentPrefix != len(p) {
			t.Fatalf("%d and %d bytes of %d", len(c.Header), len(c.Body), len(p))
		}
	})
}

// TestPlaces opens a value only where it was sealed.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p, _ := testPlace(t)
	key := recordKey(nil, 1)
	box, err := p.seal(nil, key, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := p.open(nil, key, box); err != nil || string(plain) != "value" {
		t.Fatal(plain, err)
	}
	if _, err := p.open(nil, recordKey(nil, 2), box); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("opened under another key: %v", err)
	}
	p.shard++
	if _, err := p.open(nil, key, box); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("opened in another shard: %v", err)
	}
}

func testHistory() History {
	at := time.UnixMilli(1_700_000_000_123)
	return History{}.With(Death{Queue: "q", Reason: Expired, Time: at, Key: "k", Lifetime: -1}).
		With(Death{Queue: "r", Reason: Rejected, Time: at, Address: "x", Lifetime: time.Second,
			Namespace: NamespaceID{9}, Copies: true})
}

func FuzzClock(f *testing.F) {
	c := clock{locked: 4, since: 9}
	f.Add(c.append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := parseClock(p)
		if err == nil && !bytes.Equal(c.append(nil), p) {
			t.Fatalf("%x came back as %x", p, c.append(nil))
		}
	})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	h := testHistory()
	again := h.With(Death{Queue: "q", Reason: Expired, Address: "y"})
	if d := again.Deaths; len(d) != 2 || d[0].Queue != "q" || d[0].Count != 2 || d[1].Queue != "r" {
		t.Errorf("deaths %+v", d)
	}
	if again.FirstQueue != "q" || again.FirstReason != Expired || h.Deaths[0].Queue != "r" {
		t.Errorf("first %+v of %+v", again, h)
	}
	if again.LastAddress != "y" || again.Deaths[0].Address != "" || h.LastAddress != "x" {
		t.Errorf("last addresses %q, after %q", again.LastAddress, h.LastAddress)
	}
	if h.Cycles("q") || !(History{Deaths: h.Deaths[1:]}).Cycles("q") || h.Cycles("other") {
		t.Error("cycles are not told")
	}
	for range 100 {
		h = h.With(Death{Queue: strings.Repeat("x", len(h.Deaths)+1), Reason: TooMany})
	}
	if len(h.Deaths) != maxDeaths {
		t.Errorf("%d deaths are remembered", len(h.Deaths))
	}
}
