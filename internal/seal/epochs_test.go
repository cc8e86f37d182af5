package seal

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 1)
	text := []byte("text")
	rec, _ := e.SealRecord(nil, Header{}, DomainID{1}, text)
	box, _ := e.SealBox(nil, []byte("key a"), text)
	other, _ := NewEpochs(testSecret(1), "other label", 1)
	for name, open := range map[string]func() ([]byte, error){
		"record in another domain": func() ([]byte, error) {
			return e.OpenRecord(nil, rec, DomainID{2})
		},
		"record under another secret": func() ([]byte, error) {
			return testEpochs(t, 2, 1).OpenRecord(nil, rec, DomainID{1})
		},
		"record under another label": func() ([]byte, error) {
			return other.OpenRecord(nil, rec, DomainID{1})
		},
		"box at another key": func() ([]byte, error) {
			return e.OpenBox(nil, []byte("key b"), box)
		},
		"box at a longer key": func() ([]byte, error) {
			return e.OpenBox(nil, []byte("key a "), box)
		},
		"box at no key": func() ([]byte, error) { return e.OpenBox(nil, nil, box) },
		"box under another secret": func() ([]byte, error) {
			return testEpochs(t, 2, 1).OpenBox(nil, []byte("key a"), box)
		},
		"box as a record": func() ([]byte, error) { return e.OpenRecord(nil, box, DomainID{1}) },
		"record as a box": func() ([]byte, error) { return e.OpenBox(nil, nil, rec) },
	} {
		out, err := open()
		closed(t, name, out, err)
	}
	// A later start opens what an earlier one sealed.
	out, err := testEpochs(t, 1, 2).OpenRecord(nil, rec, DomainID{1})
	if err != nil || !bytes.Equal(out, text) {
		t.Errorf("in a later start: %q, %v", out, err)
	}
}

// TestEpochsEnd proves that a subkey ends at its bounds and that what was
// sealed under an ended one still opens.
func TestEpochsEnd(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Epochs){
		"seals": func(e *Epochs) { e.maxSeals = 3 },
		"bytes": func(e *Epochs) { e.maxBytes = 30 },
	} {
		t.Run(name, func(t *testing.T) {
			e := testEpochs(t, 1, 5)
			set(e)
			var records [][]byte
			for i := range 10 {
				text := fmt.Appendf(nil, "message %02d", i)
				rec, err := e.SealRecord(nil, Header{}, DomainID{}, text)
				if err != nil {
					t.Fatal(err)
				}
				h, err := ParseRecord(rec)
				if want := uint64(5)<<32 + uint64(i/3); err != nil || h.Epoch != want {
					t.Errorf("record %d in epoch %#x, %v; want %#x", i, h.Epoch, err, want)
				}
				records = append(records, rec)
			}
			for i, rec := range records {
				out, err := e.OpenRecord(nil, rec, DomainID{})
				if err != nil || string(out) != fmt.Sprintf("message %02d", i) {
					t.Errorf("record %d: %q, %v", i, out, err)
				}
			}
		})
	}
	e := testEpochs(t, 1, 5)
	e.maxBytes = 8
	if _, err := e.SealBox(nil, nil, make([]byte, 9)); err == nil {
		t.Error("sealed more than an epoch may")
	}
	n := NewNumbers(5)
	n.count.Store(1<<32 - 1)
	last, err := NewEpochsFrom(testSecret(1), "test", n)
	if err != nil {
		t.Fatal(err)
	}
	last.maxSeals = 1
	box, err := last.SealBox(nil, nil, nil)
	if err != nil || !bytes.Equal(box[1:9], []byte{0, 0, 0, 5, 255, 255, 255, 255}) {
		t.Errorf("the last epoch of a start: %x, %v", box, err)
	}
	for range 2 {
		if out, err := last.SealBox(nil, nil, nil); err == nil {
			t.Errorf("continued behind the last epoch of a start: %x", out[1:9])
		}
	}
	// Two that share numbers never seal under one subkey.
	a, _ := NewEpochsFrom(testSecret(1), "test", NewNumbers(6))
	b, _ := NewEpochsFrom(testSecret(1), "test", a.numbers)
	a.maxSeals, b.maxSeals = 1, 1
	seen := map[string]bool{}
	for range 4 {
		x, _ := a.SealBox(nil, nil, nil)
		y, _ := b.SealBox(nil, nil, nil)
		seen[string(x[1:9])], seen[string(y[1:9])] = true, true
	}
	if len(seen) != 8 {
		t.Errorf("8 epochs of one seal each have %d numbers", len(seen))
	}
}

// TestEpochsConcurrent seals and opens from several goroutines across many ends
// of epochs: no epoch may be used more often than its bound says.
func TestEpochsConcurrent(t *testing.T) {
	t.Parallel()
	const workers, each, bound = 8, 300, 7
	e := testEpochs(t, 1, 1)
	e.maxSeals = bound
	used := make([]map[uint64]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		used[w] = map[uint64]int{}
		wg.Go(func() {
			var rec, out []byte
			for i := range each {
				text := fmt.Appendf(nil, "%d/%d", w, i)
				var err error
				if rec, err = e.SealRecord(rec[:0], Header{}, DomainID{}, text); err != nil {
					t.Error(err)
					return
				}
				h, _ := ParseRecord(rec)
				used[w][h.Epoch]++
				out, err = e.OpenRecord(out[:0], rec, DomainID{})
				if err != nil || !bytes.Equal(out, text) {
					t.Errorf("%q: %q, %v", text, out, err)
				}
			}
		})
	}
	wg.Wait()
	total := map[uint64]int{}
	for _, u := range used {
		for epoch, n := range u {
			total[epoch] += n
		}
	}
	if want := (workers*each + bound - 1) / bound; len(total) != want ||
		e.numbers.count.Load() != uint64(want) {
		t.Errorf("%d epochs used, %d begun, want %d", len(total), e.numbers.count.Load(), want)
	}
	for epoch, n := range total {
		if n > bound {
			t.Errorf("epoch %#x sealed %d times, bound %d", epoch, n, bound)
		}
	}
	if e.order.Len() > openEpochs || len(e.opened) != e.order.Len() {
		t.Errorf("%d subkeys kept, bound %d", e.order.Len(), openEpochs)
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 1)
	e.maxSeals = 1
	box, _ := e.SealBox(nil, nil, []byte("a"))
	second, _ := e.SealBox(nil, nil, []byte("b"))
	secret := e.keys[0].Secret
	e.Wipe()
	if !bytes.Equal(secret, make([]byte, KeySize)) {
		t.Error("the secret is still there")
	}
	for _, b := range [][]byte{box, second} {
		if _, err := e.OpenBox(nil, nil, b); !errors.Is(err, ErrWiped) {
			t.Errorf("open after Wipe: %v", err)
		}
	}
	if _, err := e.SealBox(nil, nil, nil); !errors.Is(err, ErrWiped) {
		t.Errorf("seal after Wipe: %v", err)
	}
	e.Wipe()
}

// TestDst proves what append promises: dst stays in front, its capacity is
// used, and an error gives it back as it was.
func TestDst(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 1)
	for _, room := range []int{0, 1, BoxOverhead, 500} {
		dst := append(make([]byte, 0, 3+room), "abc"...)
		box, err := e.SealBox(dst, []byte("k"), []byte("text"))
		if err != nil || string(box[:3]) != "abc" {
			t.Fatalf("room %d: %q, %v", room, box, err)
		}
		if room == 500 && &box[0] != &dst[0] {
			t.Error("the capacity of dst was not used")
		}
		out, err := e.OpenBox([]byte("xyz"), []byte("k"), box[3:])
		if err != nil || string(out) != "xyztext" {
			t.Errorf("room %d: opened %q, %v", room, out, err)
		}
		if out, err = e.OpenBox([]byte("xyz"), []byte("no"), box[3:]); string(out) != "xyz" {
			t.Errorf("after an error dst is %q, %v", out, err)
		}
	}
	// Opening in place: the plaintext over the nonce and ciphertext.
	box, _ := e.SealBox(nil, nil, []byte("in place"))
	out, err := e.OpenBox(box[boxHeader:boxHeader], nil, box)
	if err != nil || string(out) != "in place" {
		t.Errorf("in place: %q, %v", out, err)
	}
}

func TestOverlapPanics(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 1)
	for name, c := range map[string]struct {
		header int
		seal   func(dst, text []byte) ([]byte, error)
	}{
		"box": {boxHeader, func(dst, text []byte) ([]byte, error) {
			return e.SealBox(dst, nil, text)
		}},
		"record": {recordHeader, func(dst, text []byte) ([]byte, error) {
			return e.SealRecord(dst, Header{}, DomainID{}, text)
		}},
	} {
		try := func(at, n int) (recovered any) {
			defer func() { recovered = recover() }()
			buf := make([]byte, 1000)
			if _, err := c.seal(buf[:100], buf[100+at:100+at+n]); err != nil {
				t.Error(err)
			}
			return nil
		}
		for _, n := range []int{1, 3, 100} { // short ones lie inside the header alone
			for _, at := range []int{0, 1, c.header - 1, c.header + 1, 1 - n} {
				if try(at, n) == nil && at < c.header+Overhead && at > -n {
					t.Errorf("%s: %d bytes %d behind dst were overwritten", name, n, at)
				}
			}
			for _, at := range []int{-n, -100, c.header, 800} {
				if p := try(at, n); p != nil {
					t.Errorf("%s: %d bytes %d behind dst: %v", name, n, at, p)
				}
			}
		}
	}
}

// TestEpochsOf: a value opens under the key of its epoch, and under no other; without
// that key it does not open.
func TestEpochsOf(t *testing.T) {
	t.Parallel()
	old, next := bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)
	first, err := NewEpochs(old, "l", 1)
	if err != nil {
		t.Fatal(err)
	}
	box, err := first.SealBox(nil, nil, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	both := []Key{{0, old}, {2 << 32, next}}
	for start, keys := range map[uint32][]Key{1: {{0, old}}, 2: {{0, next}}} {
		e, err := NewEpochsOf(both, "l", start)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := NewEpochsOf(keys, "l", 9)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := e.SealBox(nil, nil, []byte("b"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := alone.OpenBox(nil, nil, mine); err != nil || string(got) != "b" {
			t.Errorf("start %d: sealed under another key: %v", start, err)
		}
		if got, err := e.OpenBox(nil, nil, box); err != nil || string(got) != "a" {
			t.Errorf("start %d: an older value: %v", start, err)
		}
	}
	late, err := NewEpochsOf(both[1:], "l", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.OpenBox(nil, nil, box); !errors.Is(err, ErrOpen) {
		t.Errorf("without its key: %v", err)
	}
}

// TestReplace: from the replacement on everything is sealed under the other secret, in
// epochs of its own, while what came before opens, until its secret is forgotten.
func TestReplace(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 5)
	e.maxSeals = 1
	old, _ := e.SealBox(nil, nil, []byte("old"))
	secret := append(Secret{}, testSecret(2)...)
	if err := e.Replace(secret, 5); err == nil || e.Newest() != 0 {
		t.Errorf("replaced in the start that sealed before: %x, %v", e.Newest(), err)
	}
	if err := e.Replace(secret, 6); err != nil {
		t.Fatal(err)
	}
	secret.Wipe() // it was copied
	for i := range 3 {
		box, err := e.SealBox(nil, nil, []byte("new"))
		if err != nil || BoxEpoch(box) != 6<<32+uint64(i) || e.Stale(box) {
			t.Errorf("box %d of epoch %x, %v", i, BoxEpoch(box), err)
		}
		if got, err := testEpochs(t, 2, 9).OpenBox(nil, nil, box); string(got) != "new" {
			t.Errorf("the other secret opens %q, %v", got, err)
		}
	}
	if !e.Stale(old) || e.Stale(old[:BoxOverhead-1]) || e.Stale(append([]byte{9}, old[1:]...)) {
		t.Error("not the box of before is stale")
	}
	anew, err := e.Renew(nil, old)
	if err != nil || e.Stale(anew) || len(anew) != len(old) {
		t.Errorf("anew: %x, %v", anew, err)
	}
	for _, box := range [][]byte{old, anew} {
		if got, err := e.OpenBox(nil, nil, box); string(got) != "old" {
			t.Errorf("%q, %v", got, err)
		}
	}
	first := e.keys[0].Secret
	e.Keep(6<<32 - 1)
	if got, err := e.OpenBox(nil, nil, old); string(got) != "old" {
		t.Errorf("kept: %q, %v", got, err)
	}
	e.Keep(6 << 32)
	if _, err := e.OpenBox(nil, nil, old); !errors.Is(err, ErrOpen) ||
		!bytes.Equal(first, make([]byte, KeySize)) {
		t.Errorf("forgotten: %v", err)
	}
	if got, err := e.OpenBox(nil, nil, anew); string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	e.Wipe()
	if err := e.Replace(testSecret(3), 7); !errors.Is(err, ErrWiped) {
		t.Errorf("after Wipe: %v", err)
	}
}

// TestReplaceConcurrent replaces the secret while others seal and open: all they sealed
// opens, and who begins afterwards seals under the newest.
func TestReplaceConcurrent(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 1)
	e.maxSeals = 5
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 400 {
				from := e.Newest()
				box, err := e.SealBox(nil, nil, []byte("text"))
				if err != nil || BoxEpoch(box) < from {
					t.Errorf("sealed in epoch %x after %x, %v", BoxEpoch(box), from, err)
					return
				}
				if got, err := e.OpenBox(nil, nil, box); string(got) != "text" {
					t.Errorf("epoch %x: %q, %v", BoxEpoch(box), got, err)
					return
				}
			}
		})
	}
	for n := range byte(20) {
		if err := e.Replace(testSecret(2+n), uint32(2+n)); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}
