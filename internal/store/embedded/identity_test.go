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
	id := Identity{Cluster: [16]byte{1}, Node: [16]byte{2}, Incarnation: [16]byte{0xff}, Shards: 10}
	got, err := parseIdentity(id.encode())
	if err != nil || got != id {
		t.Errorf("parse what was encoded: %+v, %v", got, err)
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
		"other version": {sealed("coffer-store 2\nanything\n"), false},
	} {
		_, err := parseIdentity([]byte(c.text))
		if err == nil || errors.Is(err, store.ErrDamaged) != c.damaged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add(Identity{Shards: 10}.encode())
	f.Add([]byte("coffer-store 2\ncrc32c 00000000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		id, err := parseIdentity(text)
		if err == nil && !bytes.Equal(id.encode(), text) {
			t.Errorf("%q was taken for %q", text, id.encode())
		}
	})
}

func FuzzDecodeSlot(f *testing.F) {
	full := &floor{seq: 7, born: true, at: []store.Position{{Epoch: 1, Index: 2}, {Epoch: 3}}}
	f.Add(full.encode())
	f.Add((&floor{}).encode())
	f.Add(make([]byte, floorSlot))
	f.Fuzz(func(t *testing.T, text []byte) {
		seq, born, at, ok := decodeSlot(text)
		if !ok {
			return
		}
		back := (&floor{seq: seq, born: born, at: at}).encode()
		if text[17]&^flagBorn == 0 && text[16] == 0 && !bytes.HasPrefix(text, back) {
			t.Errorf("%x was taken for %x", text, back)
		}
	})
}

func TestFloorSlotsTakeTurns(t *testing.T) {
	t.Parallel()
	at := func(n uint64) []store.Position { return []store.Position{{Epoch: 1, Index: n}} }
	slot := func(seq, index uint64) []byte {
		b := make([]byte, floorSlot)
		copy(b, (&floor{seq: seq, at: at(index)}).encode())
		return b
	}
	torn := slot(9, 9)
	torn[30] ^= 1
	for name, c := range map[string]struct {
		text []byte
		want uint64
		next int64
	}{
		"second is newer": {append(slot(4, 40), slot(5, 50)...), 50, 0},
		"first is newer":  {append(slot(6, 60), slot(5, 50)...), 60, 1},
		"first is torn":   {append(bytes.Clone(torn), slot(5, 50)...), 50, 0},
		"second is torn":  {append(slot(4, 40), torn...), 40, 1},
	} {
		f := &floor{at: make([]store.Position, 1)}
		if !f.load(c.text) || f.at[0].Index != c.want || f.slot != c.next {
			t.Errorf("%s: index %d, next slot %d", name, f.at[0].Index, f.slot)
		}
	}
	f := &floor{at: make([]store.Position, 1)}
	if f.load(append(bytes.Clone(torn), torn...)) {
		t.Error("two torn slots were taken for a floor")
	}
}
