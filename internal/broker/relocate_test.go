package broker

import (
	"bytes"
	"testing"

	"coffer/internal/store"
)

func FuzzPlacing(f *testing.F) {
	f.Add(placing{2, 2}.append(nil))
	f.Add(placing{2, 7}.append(nil))
	f.Fuzz(func(t *testing.T, v []byte) {
		p, err := parsePlacing(v, 8)
		if err != nil {
			return
		}
		if p.at < 1 || p.at > 8 || p.slot < 1 || p.slot > 8 || !bytes.Equal(p.append(nil), v) {
			t.Fatalf("%x is read as %+v", v, p)
		}
	})
}

func FuzzMoving(f *testing.F) {
	f.Add(moving{phaseCopying, 2}.append(nil))
	f.Add(moving{phaseErasing, 8}.append(nil))
	f.Fuzz(func(t *testing.T, v []byte) {
		m, err := parseMoving(v, 8)
		if err == nil && (m.shard < 1 || m.shard > 8 || !bytes.Equal(m.append(nil), v)) {
			t.Fatalf("%x is read as %+v", v, m)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(appendCursor(nil, clockKey(nil, NamespaceID{1})))
	f.Add(appendCursor(nil, recordKey(nil, 9)))
	f.Add(appendCursor(nil, entryKey(nil, classDurable, 9, 1, 2)))
	f.Add(appendCursor(nil, dedupKey(nil, 9, 1, [16]byte{2})))
	f.Fuzz(func(t *testing.T, p []byte) {
		key, id, err := parseCursor(p)
		if err != nil {
			return
		}
		if !bytes.Equal(appendCursor(nil, key), p) {
			t.Fatalf("%x is read as %x", p, key)
		}
		lower, upper := queueRange(class(key[0]), id)
		inside := bytes.Compare(key, lower) >= 0 && bytes.Compare(key, upper) < 0
		if class(key[0]) != classClock && !inside {
			t.Fatalf("%x is said to be of queue %d", key, id)
		}
	})
}

func FuzzTakenKey(f *testing.F) {
	f.Add(takenKey(nil, outboxID{1, 2}, 2))
	f.Add(takenKey(nil, outboxID{1, 3}, 2))
	f.Fuzz(func(t *testing.T, key []byte) {
		of, err := parseTakenKey(key, 2)
		if err == nil && !bytes.Equal(takenKey(nil, of, store.ShardID(2)), key) {
			t.Fatalf("%x is read as %+v", key, of)
		}
	})
}
