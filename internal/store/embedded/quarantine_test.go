package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// told is a log that tests wait on.
type told struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // holds a token after a line
}

func newTold() *told { return &told{wrote: make(chan struct{}, 1)} }

func (l *told) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until the log says something.
func (l *told) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.wrote:
		case <-late:
			t.Fatalf("%q was not logged: %s", text, l.String())
		}
	}
}

func openTold(t *testing.T, disk *storetest.Disk, log *told) *embedded.Engine {
	t.Helper()
	e, err := embedded.Open(embedded.Config{
		Dir: "/store", FS: disk, Shards: 4, CacheBytes: 1 << 20, FlushBytes: 128 << 10,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
		Fatal:  func(err error) { t.Errorf("fatal: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stuff writes n batches to shard 1 and waits until they are durable.
func stuff(t *testing.T, s store.Shard, n int) {
	t.Helper()
	taken := make(chan error, n)
	for i := range n {
		b := new(store.Batch)
		b.Set([]byte{'k', byte(i % 32)}, bytes.Repeat([]byte{byte(i)}, 8<<10))
		s.Propose(b, func(_ store.Position, err error) { taken <- err })
	}
	for range n {
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
	}
}

// flipped gives a disk with a stopped store, in whose tables a byte in the middle was
// changed, and those tables. Where positions of shards are, in the first block and in
// the last, damage would be met by the start.
func flipped(t *testing.T) (*storetest.Disk, map[string][]byte) {
	t.Helper()
	disk := storetest.NewDisk()
	e := openTold(t, disk, newTold())
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	stuff(t, s, 40)
	for e.Work().Flushes == 0 {
		runtime.Gosched()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	tables := map[string][]byte{}
	for _, name := range everyFile(t, disk) {
		text := []byte(nil)
		if strings.HasSuffix(name, ".sst") {
			text = readFile(t, disk, name)
		}
		if len(text) < 48<<10 {
			continue
		}
		text[len(text)/2] ^= 1                      // of some value
		writeFile(t, disk, name, bytes.Clone(text)) // a Write may spoil what it gets
		tables[strings.Replace(name, "/data/", "/quarantine/", 1)] = text
	}
	if len(tables) == 0 {
		t.Fatal("there is no table")
	}
	return disk, tables
}

// same fails unless the files that were set aside are the damaged ones.
func same(t *testing.T, disk *storetest.Disk, kept []string, tables map[string][]byte) {
	t.Helper()
	for _, name := range kept {
		if want := tables[name]; want == nil || !bytes.Equal(readFile(t, disk, name), want) {
			t.Errorf("%s, %d octets, is not the damaged file of %d",
				name, len(readFile(t, disk, name)), len(want))
		}
	}
	if len(kept) == 0 {
		t.Error("nothing was set aside")
	}
}

// TestQuarantine reads damaged tables under a running engine: the read fails
// with the file's name, the rest is served, the file is kept whatever becomes of
// it, and later starts tell of it.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	disk, tables := flipped(t)
	log := newTold()
	e := openTold(t, disk, log)
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	_, _, err = embedded.Walk(context.Background(), snap, nil)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), ".sst") {
		t.Errorf("a read says %v", err)
	}
	if err := snap.Close(); err != nil {
		t.Error(err)
	}
	other, err := e.Open(context.Background(), 2)
	if err != nil {
		t.Fatal(err)
	}
	stuff(t, other, 3)
	snap = other.Snapshot()
	if v, ok, err := snap.Get([]byte{'k', 2}); err != nil || !ok || len(v) != 8<<10 {
		t.Errorf("another shard gives %d bytes, %v", len(v), err)
	}
	if err := snap.Close(); err != nil {
		t.Error(err)
	}
	kept := e.Damaged()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, disk, kept, tables)
	if !strings.Contains(log.String(), "kept="+kept[0]) {
		t.Errorf("logged %s", log)
	}
	again := newTold()
	e = openTold(t, disk, again)
	if got := e.Damaged(); len(got) < len(kept) {
		t.Errorf("after a restart: %q, before: %q", got, kept)
	}
	if n := strings.Count(again.String(), "set aside in an earlier run"); n != len(kept) {
		t.Errorf("the restart told of %d files: %s", n, again)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompactionMeetsDamage lets compactions run into damaged tables: they are
// not tried again at once, the tables stay, and writing goes on.
func TestCompactionMeetsDamage(t *testing.T) {
	t.Parallel()
	disk, tables := flipped(t)
	log := newTold()
	e := openTold(t, disk, log)
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	stuff(t, s, 200) // many tables over the same keys
	log.await(t, "compaction met damage")
	stuff(t, s, 1500) // more tables than a flush would let be above each other
	most := 4
	for pause := 8 * time.Second; pause < time.Since(began); pause *= 2 {
		most++
	}
	if n := strings.Count(log.String(), "compaction met damage"); n > most {
		t.Errorf("%d attempts: %s", n, log)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	same(t, disk, e.Damaged(), tables)
}
