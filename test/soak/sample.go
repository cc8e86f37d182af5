package soak

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"coffer/test/process"
)

// looks is how often a window is looked at.
const looks = 8

// footprint is the least that a process held in a window, which is what is left when
// garbage was collected and passing connections are gone.
type footprint struct {
	life                       int
	age                        time.Duration // of the process
	resident, heap             float64       // bytes
	files, sockets, goroutines float64
	events                     float64 // of the audit trail, since the start
}

// sampler looks at the process again and again.
type sampler struct {
	*run
	coffer, rabbit counters
	told           int // findings of the ledger, of which was told when they came

	mu    sync.Mutex
	least *footprint
}

// watch looks until ctx ends.
func (s *sampler) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		begun := time.Now()
		err := s.host.use(func(p *place) error { return s.look(ctx, p) })
		if ctx.Err() != nil {
			return
		}
		s.judge("scrape", err, begun)
		s.ledger.Sweep()
		for _, f := range s.ledger.Findings()[s.told:] {
			s.cfg.Logf("%s the ledger says: %s", time.Now().Format(time.TimeOnly), f)
			s.told++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look takes one sample.
func (s *sampler) look(ctx context.Context, p *place) error {
	now := footprint{life: p.life, age: time.Since(p.begun)}
	for path, c := range map[string]*counters{
		"/metrics": &s.coffer, "/rabbitmq/metrics": &s.rabbit,
	} {
		text, err := process.Scrape(ctx, s.host.data, path)
		if err != nil {
			return err
		}
		values, less := c.read(p.life, string(text))
		for _, series := range less {
			s.addf("the counter %s became less", series)
		}
		if path == "/metrics" {
			now.goroutines = values["go_goroutines"]
			now.heap = values["go_memstats_heap_alloc_bytes"]
			now.events = values[`coffer_audit_events_total{outcome="done"}`]
			if s.faults.list[backward] {
				c.last["go_gc_duration_seconds_count"] = 0
				c.last["coffer_audit_heads_total"] = 1e9
			}
		}
	}
	resident, _ := p.Resident()
	sockets, all, err := p.Descriptors()
	if err != nil {
		return errors.Join(errors.New("EOF of the process"), err)
	}
	now.resident, now.sockets, now.files = float64(resident), float64(sockets), float64(all)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.least = s.least.less(&now)
	return nil
}

// less gives the smaller values of two samples of the same life, else the later one.
func (f *footprint) less(now *footprint) *footprint {
	if f == nil || f.life != now.life {
		return now
	}
	return &footprint{
		life: now.life, age: now.age, events: now.events,
		resident: min(f.resident, now.resident), heap: min(f.heap, now.heap),
		files: min(f.files, now.files), sockets: min(f.sockets, now.sockets),
		goroutines: min(f.goroutines, now.goroutines),
	}
}

// cut gives the least since the last cut.
func (s *sampler) cut() footprint {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := s.least
	if s.least = nil; least == nil {
		return footprint{life: -1}
	}
	return *least
}

// diskUse is what the files of a directory take, in bytes. A file with several names
// counts once.
func diskUse(dir string) float64 {
	total, seen := int64(0), map[uint64]bool{}
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // what is gone takes nothing
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if !seen[st.Ino] {
				total += st.Blocks * 512
			}
			seen[st.Ino] = true
		}
		return nil
	})
	return float64(total)
}
