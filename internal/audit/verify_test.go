package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// site is a data directory with a trail, and a file of heads elsewhere.
type site struct {
	t     testing.TB
	dir   string
	heads string
	from  *Fork
	id    ID // of the incarnation; zero = the directory's own
	base  time.Time
}

// store names the store of a directory.
func (s *site) store(id embedded.Identity) StoreID {
	own := StoreID{ID(id.Cluster), ID(id.Incarnation)}
	if s.id != (ID{}) {
		own.Incarnation = s.id
	}
	return own
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir := t.TempDir()
	return &site{t: t, dir: filepath.Join(dir, "store"), heads: filepath.Join(dir, "heads"),
		base: time.Now().Add(-time.Hour)}
}

// open gives the store as a process has it.
func (s *site) open(fn func(e *embedded.Engine, db *control.DB, shards [2]store.Shard)) {
	s.t.Helper()
	e, err := embedded.Open(embedded.Config{Dir: s.dir, Shards: 3,
		Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	var shards [2]store.Shard
	for i, id := range []store.ShardID{0, 2} {
		shards[i], err = e.Open(s.t.Context(), id)
		s.must(err)
	}
	db, err := control.Open(s.t.Context(), shards[0], bytes.Repeat([]byte{1}, seal.KeySize),
		control.Config{Incarnation: e.Identity().Incarnation})
	s.must(err)
	fn(e, db, shards)
	s.must(e.Close())
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// serve runs a process that records events from the numbers on, half of them with
// effects. Stopping signs a head.
func (s *site) serve(from, count int) {
	s.t.Helper()
	s.open(func(e *embedded.Engine, db *control.DB, shards [2]store.Shard) {
		l, err := Open(s.t.Context(), db, shards[1], 2, Config{Heads: s.config(e)})
		s.must(err)
		for n := from; n < from+count; n++ {
			add(s.t, l, event(n, s.base.Add(time.Duration(n)*time.Second)), n%2 == 0)
		}
		l.Close()
		if err := l.Stats().Err; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *site) config(e *embedded.Engine) *HeadConfig {
	return &HeadConfig{
		Store: s.store(e.Identity()), From: s.from,
		File: s.heads, Every: time.Hour, Logger: slog.New(slog.DiscardHandler),
	}
}

// verify reads the directory without a process; heads may be "".
func (s *site) verify(heads string, known func(ID, string) bool) *Proof {
	s.t.Helper()
	i, err := embedded.Inspect(embedded.Config{Dir: s.dir}, func(file string, err error) {
		s.t.Errorf("%s: %v", file, err)
	})
	s.must(err)
	snap := i.Snapshot(0)
	state, err := control.Inspect(snap, bytes.Repeat([]byte{1}, seal.KeySize))
	s.must(err)
	id, _, _ := i.Identity()
	ids, _ := i.Shards()
	cfg := VerifyConfig{
		State: state, Shards: ids, Open: i.Snapshot, Known: known, Now: time.Now(),
		Store: s.store(id),
	}
	if heads != "" {
		text, err := os.ReadFile(heads)
		s.must(err)
		cfg.Heads = bytes.NewReader(text)
	}
	proof, err := Verify(s.t.Context(), cfg)
	s.must(err)
	state.Close()
	s.must(errors.Join(snap.Close(), i.Close()))
	return proof
}

// events lists the store keys of a shard's events and their texts, the oldest first.
func (s *site) events(p *seal.Epochs, sh store.Shard, id store.ShardID) (keys, texts [][]byte) {
	s.t.Helper()
	snap := sh.Snapshot()
	it := snap.Iter([]byte{0x40}, []byte{0x41})
	for it.Next() {
		text, err := p.OpenBox(nil, boxAAD(id, it.Key()), it.Value())
		s.must(err)
		keys = append([][]byte{bytes.Clone(it.Key())}, keys...)
		texts = append([][]byte{text}, texts...)
	}
	s.must(errors.Join(it.Err(), it.Close(), snap.Close()))
	return keys, texts
}

// A vandal changes a stopped store, with all its keys.
type vandal struct {
	*site
	db   *control.DB
	zero store.Shard
	last store.Shard
	keys [][]byte // of the events of the last shard, the oldest first
	text [][]byte
}

func (s *site) wreck(fn func(*vandal)) {
	s.t.Helper()
	s.open(func(_ *embedded.Engine, db *control.DB, shards [2]store.Shard) {
		v := &vandal{site: s, db: db, zero: shards[0], last: shards[1]}
		v.keys, v.text = s.events(db.Platform(), v.last, 2)
		fn(v)
	})
}

// put writes a row of the last shard as its owner would; a nil text removes it.
func (v *vandal) put(sh store.Shard, id store.ShardID, key, text []byte) {
	v.t.Helper()
	if text == nil {
		overwrite(v.t.(*testing.T), sh, key, nil)
		return
	}
	box, err := v.db.Platform().SealBox(nil, boxAAD(id, key), text)
	v.must(err)
	overwrite(v.t.(*testing.T), sh, key, box)
}

// rebuild makes the tree of the last shard anew over what is there, with leaves of
// events that are not; it also signs a head over it.
func (v *vandal) rebuild() {
	v.t.Helper()
	var b store.Batch
	b.DeleteRange([]byte{0x43}, []byte{0x45})
	done := make(chan error, 1)
	v.last.Propose(&b, func(_ store.Position, err error) { done <- err })
	v.must(<-done)
	v.must(v.db.Update(v.t.Context(), func(_ context.Context, tx *control.Tx) error {
		tx.Delete(control.TableHead, []byte(rowLast))
		return nil
	}))
}

// found looks for a problem among the findings.
func found(p *Proof, part string) *Finding {
	for i := range p.Findings {
		if strings.Contains(p.Findings[i].Problem, part) {
			return &p.Findings[i]
		}
	}
	return nil
}

// TestVerifyWhole: nothing is found in a trail that nobody touched, whatever the
// process lived through.
func TestVerifyWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(0, 9)
	s.serve(9, 0)
	s.serve(9, 10)
	for _, heads := range []string{"", s.heads} {
		p := s.verify(heads, nil)
		if !p.Whole() || len(p.Trees) != 2 {
			t.Fatalf("heads %q: %+v", heads, p)
		}
		for _, tree := range p.Trees {
			// Nine and ten events from different starts, and no head is behind.
			if tree.Leaves < 9 || tree.Signed != tree.Leaves || tree.Expired != 0 {
				t.Errorf("%+v", tree)
			}
		}
	}
	if p := s.verify(s.heads, nil); p.Heads < 3 || p.Lines != p.Heads {
		t.Errorf("%d heads in %d lines", p.Heads, p.Lines)
	}
}

// TestVerifyExpired: an event whose time is over may be gone, others may not.
func TestVerifyExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.base = time.Now().Add(-Retention - 10*time.Second)
	s.serve(0, 4)
	s.base = time.Now().Add(-24 * time.Hour)
	s.serve(4, 4)
	s.wreck(func(v *vandal) {
		l, err := Open(t.Context(), v.db, v.last, 2, Config{})
		s.must(err)
		if n, err := l.Expire(t.Context(), time.Now().Add(-Retention)); n != 4 || err != nil {
			t.Fatalf("%d expired, %v", n, err)
		}
		l.Close()
	})
	p := s.verify(s.heads, nil)
	if !p.Whole() || p.Trees[0].Expired != 2 || p.Trees[1].Expired != 2 {
		t.Errorf("%+v", p)
	}
	// That an event was old may not be said of a young one.
	s.wreck(func(v *vandal) {
		v.put(v.last, 2, v.keys[0], nil)
		old := bytes.Clone(v.keys[0])
		copy(old[17:], place(time.Now().Add(-2*Retention), 1)[:8])
		leaf := Leaf{key: old}
		v.put(v.last, 2, leafRow(2), encodeLeaves([]Leaf{leaf}))
	})
	if p := s.verify(s.heads, nil); found(p, "are not those that were signed") == nil {
		t.Errorf("a leaf with another time: %+v", p)
	}
}

// crime is what must be found.
type crime struct {
	do     func(v *vandal)
	alone  string // found without the file of heads
	heads  string // found with it
	noLeaf bool   // the finding is of no leaf
}

func crimes() map[string]crime {
	return map[string]crime{
		"an event": {do: func(v *vandal) {
			text := bytes.Replace(v.text[1], []byte("Describe"), []byte("Forget"), 1)
			v.put(v.last, 2, v.keys[1], text)
		}, alone: "the event was changed: it is not the one"},
		"an event, without keys": {do: func(v *vandal) {
			overwrite(v.t.(*testing.T), v.last, v.keys[1], []byte("something else"))
		}, alone: "without the store's keys"},
		"an event with effects": {do: func(v *vandal) {
			keys, texts := v.events(v.db.Platform(), v.zero, 0)
			v.put(v.zero, 0, keys[1], append(texts[1], ' '))
		}, alone: "the event was changed: it is not the one"},
		"two events": {do: func(v *vandal) {
			v.put(v.last, 2, v.keys[1], v.text[2])
			v.put(v.last, 2, v.keys[2], v.text[1])
		}, alone: "the event was changed: it is not the one"},
		"one deleted": {do: func(v *vandal) {
			v.put(v.last, 2, v.keys[1], nil)
		}, alone: "the event was removed"},
		"one put in": {do: func(v *vandal) {
			key := bytes.Clone(v.keys[1])
			key[len(key)-1] ^= 0x80
			v.put(v.last, 2, key, v.text[1])
		}, alone: "it was put in", noLeaf: true},
		"an event and its leaf": {do: func(v *vandal) {
			text := append(v.text[1], ' ')
			v.put(v.last, 2, v.keys[1], text)
			v.put(v.last, 2, leafRow(1), encodeLeaves([]Leaf{NewLeaf(v.keys[1], text)}))
		}, alone: "are not those that were signed", heads: "are not those that were signed"},
		"the tail": {do: func(v *vandal) {
			v.put(v.last, 2, v.keys[3], nil)
			v.put(v.last, 2, leafRow(3), nil)
		}, alone: "the tree ends at 3 leaves", heads: "the tree ends at 3 leaves"},
		"leaves": {do: func(v *vandal) {
			v.put(v.last, 2, leafRow(2), nil)
		}, alone: "follows where leaf 2 should stand"},
		"everything, made anew": {do: func(v *vandal) {
			v.put(v.last, 2, v.keys[1], append(v.text[1], ' '))
			v.rebuild()
		}, heads: "are not those that were signed"},
		"everything, one less": {do: func(v *vandal) {
			v.put(v.last, 2, v.keys[3], nil)
			v.rebuild()
		}, heads: "the tree ends at 3 leaves"},
	}
}

// TestVerifyTampering does to a directory what must be found, with the store's
// keys; what changes everything that the store knows only heads kept elsewhere show.
func TestVerifyTampering(t *testing.T) {
	t.Parallel()
	for name, c := range crimes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.serve(0, 8)
			s.wreck(c.do)
			if c.alone == "" { // a start takes what is there, and signs it elsewhere
				heads := s.heads
				s.heads = filepath.Join(filepath.Dir(heads), "new")
				s.serve(8, 0)
				s.heads = heads
			}
			for heads, want := range map[string]string{"": c.alone, s.heads: c.alone + c.heads} {
				if heads != "" && c.heads != "" {
					want = c.heads
				}
				p := s.verify(heads, nil)
				if want == "" && p.Whole() {
					continue
				}
				f := found(p, want)
				if want == "" || f == nil || p.Whole() || (f.Leaf == nil) != c.noLeaf {
					t.Errorf("heads %q: want %q, got %+v", heads, want, p.Findings)
				}
			}
		})
	}
}

// TestVerifyOldCopy: a directory that was put back from a copy shows nothing by
// itself.
func TestVerifyOldCopy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(0, 6)
	old := filepath.Join(filepath.Dir(s.dir), "old")
	s.must(os.CopyFS(old, os.DirFS(s.dir)))
	s.serve(6, 4)
	s.dir = old
	if p := s.verify("", nil); !p.Whole() {
		t.Errorf("by itself: %+v", p)
	}
	f := found(s.verify(s.heads, nil), "an old copy was put back")
	if f == nil || f.Line < 2 || f.Leaf == nil || *f.Leaf != 3 {
		t.Errorf("%+v", f)
	}
	// A start says so, too, without refusing to serve.
	s.open(func(e *embedded.Engine, db *control.DB, shards [2]store.Shard) {
		l, err := Open(t.Context(), db, shards[1], 2, Config{Heads: s.config(e)})
		s.must(err)
		l.Close()
		if err := l.Stats().Err; err == nil || !strings.Contains(err.Error(), "old copy") {
			t.Errorf("a start on an old copy: %v", err)
		}
	})
	// It goes on, and has a history of its own with the same name.
	s.heads += ".new"
	s.serve(20, 9)
	s.heads = strings.TrimSuffix(s.heads, ".new")
	if f := found(s.verify(s.heads, nil), "not those that were signed"); f == nil {
		t.Error("a copy that went on was not found")
	}
}

// TestVerifyHeads refuses what the file of heads must not hold.
func TestVerifyHeads(t *testing.T) {
	t.Parallel()
	s, other := newSite(t), newSite(t)
	s.serve(0, 4)
	s.serve(4, 4)
	other.serve(0, 1)
	text, err := os.ReadFile(s.heads)
	s.must(err)
	strange, err := os.ReadFile(other.heads)
	s.must(err)
	lines := strings.SplitAfter(string(text), "\n")
	lines = lines[len(lines)-3:] // the last two, and nothing
	file := filepath.Join(filepath.Dir(s.dir), "file")
	for name, c := range map[string]struct{ text, want string }{
		"whole": {"# a comment\n\n" + string(text), ""},
		"rewritten": {strings.Replace(string(text), "tree 0 4", "tree 0 1", 1),
			"signature is wrong"},
		"cut":         {lines[0][:40] + "\n" + cutLine + lines[1], ""},
		"cut at last": {lines[0] + lines[1][:40], ""},
		"garbage":     {lines[0] + "garbage\n" + lines[1], "cut short or not"},
		"garbage end": {lines[0] + "garbage\n", "cut short or not"},
		"no string":   {"{}\n" + lines[1], "cut short or not"},
		"no head":     {"\"hello\"\n" + lines[1], "not a head"},
		"strange":     {lines[0] + string(strange), "signed by another key"},
		"empty":       {"", "no head of this store"},
		"long":        {lines[0] + strings.Repeat("x", maxHeadLine+1), "too long"},
	} {
		s.must(os.WriteFile(file, []byte(c.text), 0o600))
		p := s.verify(file, nil)
		if f := found(p, c.want); c.want == "" != p.Whole() || c.want != "" && f == nil {
			t.Errorf("%s: want %q, got %+v", name, c.want, p.Findings)
		}
	}
}

// TestVerifyStoredHead finds a head in the store that is not its own, or none, and
// a key that is not the one of the file.
func TestVerifyStoredHead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*testing.T, *control.Tx) error
		want string
	}{
		"missing": {func(_ *testing.T, tx *control.Tx) error {
			tx.Delete(control.TableHead, []byte(rowLast))
			return nil
		}, "the stored head: it is missing"},
		"garbled": {func(_ *testing.T, tx *control.Tx) error {
			tx.Put(control.TableHead, []byte(rowLast), []byte("hello"))
			return nil
		}, "the stored head: not a head"},
		"signed by another": {func(t *testing.T, tx *control.Tx) error {
			signer, _ := testSigner(t, "coffer-audit/00")
			msg, err := sampleHead().sign(signer)
			tx.Put(control.TableHead, []byte(rowLast), msg)
			return err
		}, "the stored head: signed by another key"},
		"no key": {func(_ *testing.T, tx *control.Tx) error {
			tx.Delete(control.TableTree, []byte(rowKeyPair))
			return nil
		}, "the key that signs heads: it is missing"},
		"no origin": {func(_ *testing.T, tx *control.Tx) error {
			tx.Delete(control.TableTree, []byte(rowOrigin))
			return nil
		}, "what the store was restored from: it is missing"},
		"no birth": {func(_ *testing.T, tx *control.Tx) error {
			tx.Delete(control.TableTree, []byte(rowBorn))
			return nil
		}, "the tree's birth is missing"},
		"no edge": {func(_ *testing.T, tx *control.Tx) error {
			tx.Delete(control.TableTree, []byte(rowEdge))
			return nil
		}, "the edge of the tree is missing"},
		"another edge": {func(_ *testing.T, tx *control.Tx) error {
			e := edge{}
			tx.Put(control.TableTree, []byte(rowEdge), e.encode())
			return nil
		}, "the edge of the tree is of other leaves"},
	} {
		s := newSite(t)
		s.serve(0, 2)
		s.open(func(_ *embedded.Engine, db *control.DB, _ [2]store.Shard) {
			s.must(db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
				return c.do(t, tx)
			}))
		})
		if p := s.verify("", nil); found(p, c.want) == nil || p.Whole() {
			t.Errorf("%s: want %q, got %+v", name, c.want, p.Findings)
		}
	}
}

// FuzzHeadFile: no file makes Verify fail or panic, and none but the store's own
// heads is accepted.
func FuzzHeadFile(f *testing.F) {
	signer, verifier := testSigner(f, "coffer-audit/1")
	msg, err := sampleHead().sign(signer)
	if err != nil {
		f.Fatal(err)
	}
	line, err := headLine(msg)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("garbage\n" + cutLine + "\"x\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v := &verify{proof: &Proof{}, verifier: verifier, targets: map[store.ShardID][]target{}}
		v.cfg.Heads, v.cfg.Store.Cluster = bytes.NewReader(text), ID{1}
		v.origin.Incarnation, v.cfg.Store.Incarnation = ID{2}, ID{2}
		if err := v.file(t.Context()); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if v.proof.Heads > 0 && !bytes.Contains(text, []byte("coffer")) {
			t.Errorf("%q holds %d heads", text, v.proof.Heads)
		}
	})
}
