package broker

import (
	"bytes"
	"errors"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/store"
)

func FuzzParcel(f *testing.F) {
	_, record := testPlace(f)
	h := testHistory()
	var m Message
	m.Record, m.Body, m.Priority, m.Durable = record, 5, 3, true
	m.Address, m.Key, m.Group, m.Expiry = "address", "key", "group", AtMost(70)
	m.Delay = AtMost(80)
	full := parcel{namespace: NamespaceID{1}, queue: 9, name: "q", message: m, history: &h}
	var bare Message
	bare.Record = record
	large := bare
	large.apart = &apart{parts: 2, bytes: partBytes + 300}
	full.message.kept, full.rounds = &kept{enqueued: 5, expires: 7}, true
	for _, p := range []parcel{full, {message: bare}, {message: large}} {
		plain, err := p.append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
		f.Add(plain[:len(plain)-1])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		x, err := parseParcel(p, record)
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) && !errors.Is(err, seal.ErrOpen) {
				t.Fatalf("error %v is not one of the format", err)
			}
			return
		}
		again, err := x.append(nil)
		if err != nil || !bytes.Equal(again, p) {
			t.Fatalf("%x is written as %x, %v", p, again, err)
		}
	})
}

func FuzzTaken(f *testing.F) {
	t := taken{sequence: 3, partly: 9}
	f.Add(t.append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		x, err := parseTaken(p)
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) {
				t.Fatalf("error %v is not one of the format", err)
			}
			return
		}
		if !bytes.Equal(x.append(nil), p) {
			t.Fatalf("%x is written as %x", p, x.append(nil))
		}
	})
}

func FuzzParcelKey(f *testing.F) {
	f.Add(parcelKey(nil, 2, 7))
	f.Fuzz(func(t *testing.T, p []byte) {
		to, seq, err := parseParcelKey(p)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("error %v is not one of damage", err)
			}
			return
		}
		if !bytes.Equal(parcelKey(nil, to, seq), p) {
			t.Fatalf("%x is written as %x", p, parcelKey(nil, to, seq))
		}
	})
}
