package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/store"
)

func TestParseIdentity(t *testing.T) {
	t.Parallel()
	id := &label{format: 2, writer: "v1.2", Identity: Identity{
		Cluster: [16]byte{1}, Node: [16]byte{2}, Incarnation: [16]byte{0xff}, Shards: 10,
	}}
	for _, l := range []*label{id, {Identity: id.Identity, format: 1},
		{Identity: id.Identity, format: 2, writer: "devel", upgrading: 1},
		{Identity: id.Identity, format: 7, upgrading: 6}} {
		got, err := parseLabel(l.encode(), 7)
		if err != nil || got != *l {
			t.Errorf("parse what was encoded: %+v, %v, want %+v", got, err, l)
		}
	}
	sealed := func(body string) string {
		return fmt.Sprintf("%scrc32c %08x\n", body, checksum([]byte(body)))
	}
	text := string(id.encode())
	body, _, _ := strings.Cut(text, "crc32c")
	for name, c := range map[string]struct {
		text    string
		damaged bool
	}{
		"empty":         {"", true},
		"flipped":       {strings.Replace(text, "shards 10", "shards 11", 1), true},
		"cut":           {text[:len(text)-1], true},
		"longer":        {text + "\n", true},
		"no shards":     {sealed(strings.Replace(body, "shards 10", "shards 0", 1)), true},
		"spelled":       {sealed(strings.Replace(body, "shards 10", "shards +10", 1)), true},
		"short id":      {sealed(strings.Replace(body, "cluster 01", "cluster ", 1)), true},
		"line missing":  {sealed(strings.Replace(body, "shards 10\n", "", 1)), true},
		"format 0":      {sealed(strings.Replace(body, "store 2", "store 0", 1)), true},
		"upgrade ahead": {sealed(body + "upgrading 2\n"), true},
		"further line":  {sealed(body + "more\n"), true},
		"other format":  {sealed("coffer-store 3\nanything\n"), false},
	} {
		_, err := parseLabel([]byte(c.text), 2)
		if err == nil || errors.Is(err, store.ErrDamaged) != c.damaged ||
			errors.Is(err, ErrNewer) == c.damaged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, l := range []label{{format: 1}, {format: 2, writer: "x"}, {format: 3, upgrading: 2}} {
		l.Shards = 10
		f.Add(l.encode())
	}
	f.Add([]byte("coffer-store 2\ncrc32c 00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLabel(text, 2)
		if err == nil && !bytes.Equal(l.encode(), text) {
			t.Errorf("%q was taken for %q", text, l.encode())
		}
	})
}

func FuzzDecodeSlot(f *testing.F) {
	full := &slot{
		version: 2, seq: 7, flags: flagBorn, at: []store.Position{{Epoch: 1, Index: 2}, {Epoch: 3}},
	}
	f.Add(full.encode())
	f.Add((&slot{version: 1}).encode())
	f.Add(make([]byte, floorSlot))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, ok := decodeSlot(text); ok && !bytes.HasPrefix(text, s.encode()) {
			t.Errorf("%x was taken for %x", text, s.encode())
		}
	})
}

func TestFloorSlotsTakeTurns(t *testing.T) {
	t.Parallel()
	at := func(n uint64) []store.Position { return []store.Position{{Epoch: 1, Index: n}} }
	written := func(seq, index uint64) []byte {
		b := make([]byte, floorSlot)
		copy(b, (&slot{version: 2, seq: seq, at: at(index)}).encode())
		return b
	}
	torn := written(9, 9)
	torn[30] ^= 1
	for name, c := range map[string]struct {
		text []byte
		want uint64
		next int64
	}{
		"second is newer": {append(written(4, 40), written(5, 50)...), 50, 0},
		"first is newer":  {append(written(6, 60), written(5, 50)...), 60, 1},
		"first is torn":   {append(bytes.Clone(torn), written(5, 50)...), 50, 0},
		"second is torn":  {append(written(4, 40), torn...), 40, 1},
	} {
		f := &floor{}
		if !f.load(c.text, 1) || f.at[0].Index != c.want || f.next != c.next {
			t.Errorf("%s: index %d, next slot %d", name, f.at[0].Index, f.next)
		}
		if want := strings.HasSuffix(name, "torn"); f.garbled != want {
			t.Errorf("%s: garbled %v", name, f.garbled)
		}
	}
	f := &floor{}
	if f.load(append(bytes.Clone(torn), torn...), 1) {
		t.Error("two torn slots were taken for a floor")
	}
}

func FuzzParseFooter(f *testing.F) {
	b := make([]byte, footerSize)
	b[0], b[footerVersion] = footerCRC32C, tableVersion
	copy(b[1:], []byte{100, 10, 50, 20})
	copy(b[footerVersion+4:], footerMagic)
	f.Add(b, int64(100+10+5+footerSize))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if size >= 0 && parseFooter(b, size) == nil && len(b) != footerSize {
			t.Errorf("%x was taken for a footer", b)
		}
	})
}
