package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store/embedded"
)

// TestVerifyFork: an original and two copies of it write to one file of heads. Each is
// whole up to where it left the others, and what these went on with is told apart.
func TestVerifyFork(t *testing.T) {
	t.Parallel()
	a := newSite(t)
	a.id = ID{0xa}
	a.serve(0, 4)
	copyOf := func(name string, id byte) *site {
		dir := filepath.Join(filepath.Dir(a.dir), name)
		a.must(os.CopyFS(dir, os.DirFS(a.dir)))
		return &site{t: t, dir: dir, heads: a.heads, base: a.base, id: ID{id},
			from: &Fork{Incarnation: a.id, Backup: "backup-" + name}}
	}
	b, c := copyOf("b", 0xb), copyOf("c", 0xc)
	a.serve(4, 2)
	b.serve(10, 4)
	c.serve(20, 6)
	for _, e := range []struct {
		s    *site
		want map[ID]uint64 // events that are elsewhere
	}{
		{a, map[ID]uint64{{0xb}: 4, {0xc}: 6}}, {b, map[ID]uint64{{0xa}: 2, {0xc}: 6}},
		{c, map[ID]uint64{{0xa}: 2, {0xb}: 4}},
	} {
		p := e.s.verify(a.heads, nil)
		if p.Found > 0 || p.Whole() || len(p.Apart) != 2 {
			t.Errorf("%v: %+v", e.s.id, p)
		}
		for _, x := range p.Apart {
			if e.want[x.Incarnation] != x.Events || x.Meant {
				t.Errorf("%v: %+v", e.s.id, x)
			}
		}
		meant := func(id ID, backup string) bool {
			return id == ID{0xa} || backup == "backup-b" || backup == "backup-c"
		}
		if p := e.s.verify(a.heads, meant); !p.Whole() {
			t.Errorf("%v, meant: %+v", e.s.id, p)
		}
	}
	// What both have is compared all the same.
	b.wreck(func(v *vandal) {
		text := append(v.text[0], ' ')
		v.put(v.last, 2, v.keys[0], text)
		v.put(v.last, 2, leafRow(0), encodeLeaves([]Leaf{NewLeaf(v.keys[0], text)}))
	})
	if p := b.verify(a.heads, nil); found(p, "not those that were signed") == nil {
		t.Errorf("%+v", p)
	}
}

// TestVerifyStrangeHead: a head of the store's own key counts only if it is of this
// store, and of a history that it knows.
func TestVerifyStrangeHead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(0, 4)
	i, err := embedded.Inspect(embedded.Config{Dir: s.dir}, func(string, error) {})
	s.must(err)
	snap := i.Snapshot(0)
	state, err := control.Inspect(snap, bytes.Repeat([]byte{1}, seal.KeySize))
	s.must(err)
	id, _, _ := i.Identity()
	own := s.store(id)
	file := filepath.Join(filepath.Dir(s.dir), "file")
	notes := map[string][]byte{}
	for want, h := range map[string]*head{
		"a head of another store": {StoreID: StoreID{ID{1}, own.Incarnation}},
		"knows nothing":           {StoreID: StoreID{own.Cluster, ID{1}}},
		"heads tell of a shard":   {StoreID: own, trees: []treeHead{{shard: 9, size: 1}}},
		"the tree ends at":        {StoreID: own, trees: []treeHead{{shard: 0, size: 99}}},
		"another root":            {StoreID: own, trees: []treeHead{{shard: 0, size: 1}}},
		"the tree's birth":        {StoreID: own, trees: []treeHead{{shard: 1, size: 1}}},
	} {
		notes[want], err = SignNote(state, h.encode())
		s.must(err)
	}
	state.Close()
	s.must(errors.Join(snap.Close(), i.Close()))
	for want, msg := range notes {
		line, err := headLine(msg)
		s.must(err)
		s.must(os.WriteFile(file, line, 0o600))
		if p := s.verify(file, nil); found(p, want) == nil || p.Whole() {
			t.Errorf("want %q, got %+v", want, p.Findings)
		}
	}
	if len(notes) != 6 {
		t.Error("a case is missing")
	}
}
