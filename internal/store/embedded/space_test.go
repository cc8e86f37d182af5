package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// TestFull: a disk that is full for a while costs nothing but time.
func TestFull(t *testing.T) {
	t.Parallel()
	storetest.RunFull(t, stride, func(fs vfs.FS, fatal func(error)) (store.Engine, error) {
		e, err := embedded.Open(embedded.Config{
			Dir: "/store", FS: fs, Shards: 4, CacheBytes: 1 << 20, FlushBytes: 32 << 10,
			Fatal: fatal, PollSpace: 10 * time.Millisecond,
		})
		if err != nil {
			return nil, err
		}
		return e, nil
	})
}

// bounded is an engine on a disk with a size, inside a bubble of synctest.
type bounded struct {
	*embedded.Engine
	t       *testing.T
	disk    *storetest.Disk
	log     *logged
	changes int // that a watcher of room saw
}

// logged is a log that tests read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

const (
	diskSize = 16 << 20
	lowWater = 1 << 20
	reserved = 32 << 10
)

func (b *bounded) config() embedded.Config {
	return embedded.Config{
		Dir: "/store", FS: b.disk, Shards: 4, CacheBytes: 1 << 20, FlushBytes: 32 << 10,
		LowWaterBytes: lowWater, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Fatal: func(err error) { b.t.Errorf("fatal: %v", err) },
	}
}

func newBounded(t *testing.T) *bounded {
	b := &bounded{t: t, disk: storetest.NewDisk(), log: &logged{}}
	b.disk.Bound(diskSize)
	var err error
	if b.Engine, err = embedded.Open(b.config()); err != nil {
		t.Fatal(err)
	}
	b.WatchRoom(func() { b.changes++ })
	return b
}

// settle lets the engine look at the disk, twice.
func (b *bounded) settle() {
	<-time.After(2*time.Second + time.Millisecond)
	synctest.Wait()
}

func (b *bounded) own(id store.ShardID) store.Shard {
	b.t.Helper()
	s, err := b.Open(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// room fails the test unless there is room, or none.
func (b *bounded) room(want bool, when string) {
	b.t.Helper()
	err := b.Room()
	if (err == nil) != want {
		b.t.Errorf("%s: room: %v", when, err)
	}
	if err != nil && (fault.KindOf(err) != fault.Exhausted ||
		!strings.Contains(err.Error(), "disk")) {
		b.t.Errorf("%s: %v", when, err)
	}
}

func put(s store.Shard, key string, size int) <-chan error {
	b, done := new(store.Batch), make(chan error, 1)
	b.Set([]byte(key), bytes.Repeat([]byte{1}, size))
	s.Propose(b, func(_ store.Position, err error) { done <- err })
	return done
}

// TestLowWater goes below the mark and above it: batches are taken all the time.
func TestLowWater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t)
		defer b.Close()
		s := b.own(1)
		for _, step := range []struct {
			free int64
			room bool
		}{
			{-1, true}, {lowWater + 4096, true}, {lowWater - 4096, false}, {lowWater + 4096, false},
			{lowWater + lowWater/8 + reserved, true}, {0, false}, {-1, true},
		} {
			b.disk.Fill(step.free)
			b.settle()
			b.room(step.room, fmt.Sprint("with ", step.free, " bytes free"))
			if err := <-put(s, "k", 10); err != nil {
				t.Errorf("with %d bytes free: %v", step.free, err)
			}
		}
		if b.changes != 4 {
			t.Errorf("%d changes were told", b.changes)
		}
		if n := b.log.count("new messages are refused"); n != 2 {
			t.Errorf("told %d times: %s", n, &b.log.b)
		}
	})
}

// TestReserve fills the disk: the reserve is given up, then writes wait; with
// space they go on and the reserve is made again.
func TestReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t)
		defer b.Close()
		s := b.own(1)
		if _, err := b.disk.Stat("/store/RESERVE"); err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			b.disk.Fill(0)
			var waiting []<-chan error
			for n := 0; b.Stats().Waiting == 0 && n < 4; n++ {
				waiting = append(waiting, put(s, fmt.Sprint(round, n), reserved/2))
				synctest.Wait()
			}
			if _, err := b.disk.Stat("/store/RESERVE"); err == nil || b.Stats().Waiting == 0 {
				t.Errorf("round %d: %+v, reserve: %v", round, b.Stats(), err)
			}
			<-time.After(time.Minute)
			b.room(false, "while writes wait")
			b.disk.Fill(-1)
			for _, done := range waiting {
				if err := <-done; err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			b.settle()
			b.room(true, "with space")
			if _, err := b.disk.Stat("/store/RESERVE"); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if n := b.log.count("writes wait until there is room"); n < 6 || n > 3*3 {
			t.Errorf("told %d times: %s", n, &b.log.b)
		}
	})
}

// TestCloseWhileFull: a close does not wait for room. The directory is as after
// a crash.
func TestCloseWhileFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t)
		s := b.own(1)
		acked := 0
		b.disk.Fill(0)
		var last <-chan error
		for {
			last = put(s, fmt.Sprintf("%04d", acked), 3000)
			if synctest.Wait(); len(last) == 0 {
				break // the log waits
			}
			if err := <-last; err != nil {
				t.Fatal(err)
			}
			acked++
		}
		if err := b.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("close: %v", err)
		}
		if err := <-last; !errors.Is(err, store.ErrUnknown) {
			t.Errorf("the batch that waited: %v", err)
		}
		b.disk.Fill(-1)
		b.holds(acked, "after a close")
	})
}

// holds opens what a crash now would leave, which has at least n batches.
func (b *bounded) holds(n int, when string) {
	b.t.Helper()
	left := &bounded{t: b.t, disk: b.disk.Image(0, 1), log: &logged{}}
	e, err := embedded.Open(left.config())
	if err != nil {
		b.t.Fatalf("%s: %v", when, err)
	}
	left.Engine = e
	snap := left.own(1).Snapshot()
	for i := range n {
		if _, ok, err := snap.Get(fmt.Appendf(nil, "%04d", i)); !ok || err != nil {
			b.t.Errorf("%s: batch %d of %d: %v %v", when, i, n, ok, err)
			break
		}
	}
	if err := errors.Join(snap.Close(), e.Close()); err != nil {
		b.t.Errorf("%s: %v", when, err)
	}
}

// TestAhead: what the log only makes ahead is not worth the reserve, and uses what room
// there is.
func TestAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bounded{t: t, disk: storetest.NewDisk(), log: &logged{}}
		b.disk.Bound(diskSize)
		cfg := b.config()
		cfg.FlushBytes = 1 << 20 // so the log's files grow by 256 KiB, up to 512
		e, err := embedded.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		b.Engine = e
		s := b.own(1)
		b.disk.Fill(64 << 10)
		for n, reserved := range []bool{true, true, false} {
			if err := <-put(s, fmt.Sprint(n), 150<<10); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, err := b.disk.Stat("/store/RESERVE")
			if (err == nil) != reserved {
				t.Errorf("after %d values: reserve: %v", n+1, err)
			}
		}
	})
}

// TestFullAtRandom fills the disk to random degrees at random moments under
// load: every batch is taken in the end, and a crash at a moment when the disk is
// full loses nothing.
func TestFullAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(1, 4/stride)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { fullAtRandom(t, seed) })
		})
	}
}

func fullAtRandom(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	b := newBounded(t)
	s := b.own(1)
	var mu sync.Mutex
	acked := 0
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		size := rand.New(rand.NewPCG(seed, 2))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(size.IntN(500)) * time.Millisecond):
			}
			batch := new(store.Batch)
			batch.Set(fmt.Appendf(nil, "%04d", n), make([]byte, size.IntN(20_000)))
			batch.Set([]byte("again"), make([]byte, size.IntN(20_000)))
			s.Propose(batch, func(_ store.Position, err error) {
				mu.Lock()
				defer mu.Unlock()
				if acked++; err != nil {
					t.Error(err)
				}
			})
		}
	}()
	waited := 0
	for range 10 {
		<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond)
		b.disk.Fill(random.Int64N(reserved))
		<-time.After(time.Duration(random.IntN(20_000)) * time.Millisecond)
		synctest.Wait()
		if b.Stats().Waiting > 0 {
			waited++
		}
		mu.Lock()
		n := acked
		mu.Unlock()
		b.holds(n, "crash on a full disk")
		b.disk.Fill(-1)
		b.settle()
		b.room(true, "with space")
	}
	close(stop)
	<-ended
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b.holds(acked, "at the end")
	if waited == 0 {
		t.Error("no write had to wait")
	}
}

// TestFullSync: a sync that finds the disk full is not made again.
func TestFullSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bounded{t: t, disk: storetest.NewDisk(), log: &logged{}}
		cfg := b.config()
		var fatal []error
		cfg.Fatal = func(err error) { fatal = append(fatal, err) }
		e, err := embedded.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.Engine = e
		s := b.own(1)
		b.disk.OnChange(func(c storetest.Change) error {
			if c.Op == "sync" && path.Ext(c.Name) == ".log" {
				return storetest.ErrFull
			}
			return nil
		})
		if err := <-put(s, "k", 10); !errors.Is(err, store.ErrUnknown) {
			t.Error(err)
		}
		if err := e.Close(); !errors.Is(err, syscall.ENOSPC) || len(fatal) != 1 {
			t.Errorf("close: %v, fatal: %v", err, fatal)
		}
	})
}

// TestSlowSync holds a sync for some seconds.
func TestSlowSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bounded{t: t, disk: storetest.NewDisk(), log: &logged{}}
		cfg := b.config()
		var took []time.Duration
		cfg.Synced = func(d time.Duration) { took = append(took, d) }
		e, err := embedded.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.Engine = e
		defer e.Close()
		s := b.own(1)
		took = nil
		release := b.disk.Hold()
		done := put(s, "k", 10)
		<-time.After(5*time.Second + time.Millisecond)
		if d := e.Stats().SlowSync; d < 5*time.Second || b.log.count("a sync takes long") == 0 ||
			b.log.count("a sync was slow") != 0 {
			t.Errorf("%v, logged %s", d, &b.log.b)
		}
		release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(took) != 1 || took[0] < 5*time.Second || b.log.count("a sync was slow") == 0 ||
			e.Stats().SlowSync != 0 {
			t.Errorf("took %v, %+v, logged %s", took, e.Stats(), &b.log.b)
		}
	})
}

// TestMark: the mark follows the size of the file system.
func TestMark(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size    int64
		bytes   uint64
		percent int
		want    uint64
	}{
		{1 << 30, 0, 0, 256 << 20}, {4 << 30, 0, 0, 512 << 20}, {20 << 30, 0, 0, 1 << 30},
		{1 << 42, 0, 0, 8 << 30}, {8 << 30, 1 << 20, 0, 1 << 20}, {8 << 30, 7 << 30, 0, 2 << 30},
		{100 << 30, 0, 10, 10 << 30},
	} {
		disk := storetest.NewDisk()
		disk.Bound(c.size)
		e, err := embedded.Open(embedded.Config{
			Dir: "/store", FS: disk, LowWaterBytes: c.bytes, LowWaterPercent: c.percent,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := e.Stats().LowWaterBytes
		if err := e.Close(); got != c.want || err != nil {
			t.Errorf("%+v: %d, %v", c, got, err)
		}
	}
	_, err := embedded.Open(embedded.Config{
		Dir: "/s", FS: storetest.NewDisk(), LowWaterPercent: 26,
	})
	if err == nil {
		t.Error("a mark of 26 % was taken")
	}
}
