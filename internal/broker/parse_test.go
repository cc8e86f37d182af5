package broker

import (
	"bytes"
	"errors"
	"testing"

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
	plain, err := appendEnvelope(nil, record, 7, "address", "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(plain[:20])
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
		again, err := appendEnvelope(nil, rec, e.count, string(e.address), string(e.key))
		if err != nil || !bytes.Equal(again, p) {
			t.Fatalf("%x came back as %x, %v", p, again, err)
		}
	})
}

func FuzzQueueRecord(f *testing.F) {
	r := queueRecord{depth: 2, bytes: 300, first: 4, delivered: 5, next: 9}
	f.Add(r.append(nil))
	f.Add(r.append(nil)[:40])
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseQueueRecord(p)
		if err != nil {
			return
		}
		if again := r.append(nil); !bytes.Equal(again, p) {
			t.Fatalf("%x came back as %x", p, again)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(recordKey(nil, 6))
	f.Add(entryKey(nil, classDurable, 6, 8))
	f.Add(entryKey(nil, classSpilled, temporaryQueue|1, 1<<63))
	f.Fuzz(func(t *testing.T, key []byte) {
		if id, err := parseRecordKey(key); err == nil && !bytes.Equal(recordKey(nil, id), key) {
			t.Fatalf("record key %x does not come back", key)
		}
		c, id, seq, err := parseEntryKey(key)
		if err == nil && !bytes.Equal(entryKey(nil, c, id, seq), key) {
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
	key := entryKey(nil, classDurable, 1, 1)
	sh := &shard{place: *p, batch: &batch{}}
	plain, err := appendEnvelope(nil, record, 0, "a", "k")
	if err != nil {
		f.Fatal(err)
	}
	if err := sh.write(classDurable, &Queue{id: 1}, 1, plain, record); err != nil {
		f.Fatal(err)
	}
	good := bytes.Clone(sh.batch.Ops()[0].Value)
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
	f.Add(appendAddressRow(nil, &Address{Name: "a", Kind: Pattern, Durable: true}))
	f.Add(appendBindingRow(nil, &binding{key: bindingKey{"a", "k", "x"}, queue: &Queue{id: 4}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if s, err := parseQueueRow(p); err == nil && p[1]&^(flagDurable|flagAutoDelete) == 0 &&
			p[1]&flagDurable != 0 && !bytes.Equal(appendQueueRow(nil, &s), p) {
			t.Fatalf("queue row %x does not come back", p)
		}
		if a, err := parseAddressRow(p); err == nil && p[1]&^7 == 0 && p[1]&flagDurable != 0 &&
			!bytes.Equal(appendAddressRow(nil, &a), p) {
			t.Fatalf("address row %x does not come back", p)
		}
		id, key, err := parseBindingRow(p)
		again := appendBindingRow(nil, &binding{key: key, queue: &Queue{id: id}})
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
