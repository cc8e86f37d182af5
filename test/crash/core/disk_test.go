package core

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// past is a life in this process: what it told, and when that was enough.
type past struct {
	mu        sync.Mutex
	records   []Record
	confirmed int
	quota     int
	enough    chan struct{}
	stop      func()
}

func newPast(quota int) *past {
	p := &past{quota: quota, enough: make(chan struct{})}
	p.stop = sync.OnceFunc(func() { close(p.enough) })
	return p
}

func (p *past) write(r Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records = append(p.records, r)
	if r.Kind == Confirmed {
		p.confirmed += len(r.IDs)
	}
	if p.quota > 0 && p.confirmed >= p.quota {
		p.stop()
	}
}

// known is what was told so far.
func (p *past) known() []Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records[:len(p.records):len(p.records)]
}

// onDisk says where a child works in this process. Its death is not an error.
func onDisk(disk *storetest.Disk, fatal func(error)) embedded.Config {
	return embedded.Config{
		Dir: "data", FS: disk, CacheBytes: 1 << 20, FlushBytes: 256 << 10, Fatal: fatal,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// play loads until enough is confirmed, or the store fails.
func play(t *testing.T, p *Plan, disk *storetest.Disk, story *past) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := newChild(p, 0, story.write)
	err := c.open(ctx, onDisk(disk, func(error) { story.stop() }))
	if err != nil {
		if c.engine != nil {
			c.engine.Close()
		}
		return // before anything was promised
	}
	failed := make(chan error, 1)
	go func() { failed <- c.load(ctx) }()
	select {
	case <-story.enough:
	case <-failed: // as a store that failed lets it
	case <-ctx.Done():
		t.Error("the load takes too long")
	}
	close(c.ended)
	c.actors.Wait()
	disk.OnChange(nil)
	for _, s := range c.sessions {
		_ = s.Close(ctx) // it fails with the store
	}
	_ = c.close(ctx)
}

// survive drains what a crash left and gives what should not be.
func survive(t *testing.T, p *Plan, disk *storetest.Disk, known []Record, at int64) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	story := newPast(0)
	c := newChild(p, 1, story.write)
	err := c.open(ctx, onDisk(disk, func(err error) { t.Errorf("store failed: %v", err) }))
	if err != nil {
		return []string{"open: " + err.Error()}
	}
	err = c.drain(ctx)
	err = errors.Join(err, c.close(ctx))
	l := NewLedger(p)
	for _, r := range known {
		l.Apply(&r)
	}
	l.Killed(at)
	for _, r := range story.records {
		l.Apply(&r)
	}
	findings := l.Check()
	if err != nil {
		findings = append(findings, err.Error())
	}
	return findings
}

// points gives at how many changes of the disk a test looks: COFFER_CRASH_DISK,
// or a few.
func points(few int) int {
	if n, err := strconv.Atoi(os.Getenv("COFFER_CRASH_DISK")); err == nil {
		return n
	}
	return few
}

// crash is the disk at an instant, and what was known before.
type crash struct {
	change storetest.Change
	disk   *storetest.Disk
	known  []Record
	at     int64
}

// TestLostPower takes the disk at many of the changes that a load makes, with
// none, half or all of what was not synced: so a write is torn, or a sync lost. It
// checks what a new process finds there.
func TestLostPower(t *testing.T) {
	t.Parallel()
	n, most := seed(t), points(60)
	var crashes []crash
	for round := 0; len(crashes) < most; round++ {
		p := NewPlan(n, round)
		disk := storetest.NewDisk()
		story := newPast(300)
		var list []crash
		disk.OnChange(func(c storetest.Change) error {
			if c.N%max(1, 400/most) == round%max(1, 400/most) && len(list) < most-len(crashes) {
				list = append(list, crash{
					c, disk.Lose(c.N%3*50, n+uint64(c.N)), story.known(), time.Now().UnixMilli(),
				})
			}
			return nil
		})
		play(t, p, disk, story)
		for _, x := range list {
			report(t, p, &x)
		}
		crashes = append(crashes, list...)
	}
	t.Logf("%d instants", len(crashes))
}

// report drains a crash and ends the test with the findings.
func report(t *testing.T, p *Plan, x *crash) {
	t.Helper()
	findings := survive(t, p, x.disk, x.known, x.at)
	if len(findings) == 0 {
		return
	}
	t.Logf("%splan: %v", p.Prefix, p)
	for _, f := range findings {
		t.Error(f)
	}
	t.Fatalf("at change %d, %s of %s, %d records known",
		x.change.N, x.change.Op, x.change.Name, len(x.known))
}

// TestFailedDisk lets one change of the disk fail, each time another one. The
// store may end, or live on; what was told must be there.
func TestFailedDisk(t *testing.T) {
	t.Parallel()
	n, most := seed(t), points(24)
	failure := errors.New("the disk fails")
	var ops []string
	for i := range most {
		p := NewPlan(n, i)
		disk := storetest.NewDisk()
		story := newPast(300)
		at := crash{}
		when := 1 + i*400/most
		disk.OnChange(func(c storetest.Change) error {
			if c.N != when {
				return nil
			}
			at.change = c
			return failure
		})
		play(t, p, disk, story)
		at.disk, at.known = disk.Image(i%3*50, n+uint64(i)), story.known()
		at.at = time.Now().UnixMilli()
		report(t, p, &at)
		ops = append(ops, at.change.Op)
	}
	slices.Sort(ops)
	t.Logf("%d failures of %v", most, slices.Compact(ops))
}
