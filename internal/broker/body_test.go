package broker

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"coffer/internal/seal"
)

func FuzzBodyKeys(f *testing.F) {
	f.Add(bodyKey(nil, bodyID{1}, 7))
	f.Add(refKey(nil, bodyID{2}, entryKey(nil, classDurable, 6, 4, 8)))
	f.Add(refKey(nil, bodyID{3}, nil))
	f.Fuzz(func(t *testing.T, key []byte) {
		if id, index, err := parseBodyKey(key); err == nil {
			if !bytes.Equal(bodyKey(nil, id, index), key) {
				t.Fatalf("body key %x does not come back", key)
			}
			lower, upper := bodyRange(id)
			if index < ^uint32(0) &&
				(bytes.Compare(key, lower) < 0 || bytes.Compare(key, upper) >= 0) {
				t.Fatalf("%x is outside the range of its body", key)
			}
		}
		id, entry, err := parseRefKey(key)
		if err == nil && !bytes.Equal(refKey(nil, id, entry), key) {
			t.Fatalf("reference key %x does not come back", key)
		}
	})
}

func FuzzApart(f *testing.F) {
	f.Add((*apart)(nil).append(nil))
	f.Add((&apart{id: bodyID{1}, shared: true}).append(nil))
	f.Add((&apart{id: bodyID{1}, shared: true, parts: 2, bytes: 300_000}).append(nil))
	f.Fuzz(func(t *testing.T, p []byte) {
		r := rowParser{rest: p}
		a := parseApart(&r)
		if r.failed || len(r.rest) > 0 {
			return
		}
		if again := a.append(nil); !bytes.Equal(again, p) {
			t.Fatalf("%x came back as %x", p, again)
		}
		if a != nil && plainSize(1<<10, a) > maxMessage+partBytes {
			t.Fatalf("%+v is larger than any message", a)
		}
	})
}

// FuzzPart: nothing but the part that is wanted is taken for it.
func FuzzPart(f *testing.F) {
	e, err := seal.NewEpochs(make([]byte, seal.KeySize), "domain", 1)
	if err != nil {
		f.Fatal(err)
	}
	a := &apart{id: bodyID{4}, parts: 2}
	for _, h := range []seal.Header{
		{Flags: seal.FlagPart, ID: a.id, Part: 1},
		{Flags: seal.FlagPart | seal.FlagLast, ID: a.id, Part: 1},
		{Flags: seal.FlagPart | seal.FlagLast, ID: a.id, Part: 2},
		{Flags: seal.FlagPart, ID: a.id, Part: 2}, {Flags: seal.FlagHead, ID: a.id},
	} {
		rec, err := e.SealRecord(nil, h, seal.DomainID{1}, []byte("text"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rec, uint32(1))
		f.Add(rec, uint32(2))
	}
	f.Fuzz(func(t *testing.T, chunk []byte, i uint32) {
		if checkPart(chunk, a, i) != nil {
			return
		}
		h, err := seal.ParseRecord(chunk)
		last := h.Flags&seal.FlagLast != 0
		if err != nil || h.ID != a.id || h.Part != i || last != (i == a.parts) {
			t.Fatalf("part %d: %+v, %v", i, h, err)
		}
	})
}

// TestPlainParts: head and parts are the plaintext, whatever its header takes.
func TestPlainParts(t *testing.T) {
	t.Parallel()
	const room = partBytes - contentPrefix - headTail
	for _, c := range [][2]int{
		{0, partBytes + 1}, {6, 3 * partBytes}, {room, 1}, {room + 1, partBytes},
		{3 * partBytes, 0}, {3*partBytes + 5, 2 * partBytes},
	} {
		header := bytes.Repeat([]byte("header "), c[0]/7+1)[:c[0]]
		body := bytes.Repeat([]byte("body "), c[1]/5+1)[:c[1]]
		whole := append(bytes.Clone(header), body...)
		rest := plainParts{header, body}
		scratch := make([]byte, 0, partBytes)
		got := rest.header(nil, room)
		for left := len(whole) - len(got); left > 0; {
			p := rest.next(scratch)
			if len(p) != min(left, partBytes) {
				t.Fatalf("%v: a part of %d bytes, %d are left", c, len(p), left)
			}
			got = append(got, p...)
			left -= len(p)
		}
		if !bytes.Equal(got, whole) {
			t.Fatalf("%v: %d bytes came back other than they were", c, len(got))
		}
	}
}

// TestLargeInWindow: one that is larger than the window waits until it is empty,
// and those who come later wait behind it.
func TestLargeInWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w window
		w.open(10, 100, &atomic.Int64{})
		enter := func(size int, ctx context.Context) <-chan error {
			done := make(chan error, 1)
			p := Publishing{Message: Message{Sealed: Sealed{Record: make([]byte, size)}}}
			go func() {
				_, _, err := w.acquire(ctx, []Publishing{p})
				done <- err
			}()
			synctest.Wait()
			return done
		}
		is := func(done <-chan error, want bool) {
			t.Helper()
			synctest.Wait()
			if got := len(done) > 0; got != want {
				t.Fatalf("entered: %v", got)
			}
		}
		is(enter(50, t.Context()), true)
		ctx, cancel := context.WithCancel(t.Context())
		gone := enter(200, ctx)
		large, small := enter(300, t.Context()), enter(10, t.Context())
		is(gone, false)
		is(large, false)
		is(small, false)
		cancel()
		if err := <-gone; err == nil {
			t.Fatal("it did not end with its context")
		}
		w.release(1, 50)
		is(large, true)
		is(small, false)
		w.release(1, 300)
		is(small, true)
	})
}
