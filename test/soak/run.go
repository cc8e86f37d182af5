// Package soak runs a built Coffer for hours under load and disturbances, as its
// operators and their customers would: clients of three libraries at two brokers, one of
// them under a customer's key, at a share of the throughput that is measured first; the
// process stopped and killed; the key disabled, denied and suspended in every window;
// connections, queues, brokers and grants that come and go; backups, other root keys,
// the APIs, and scrapes of metrics.
//
//	make soak-serve                      # two hours at 70 %
//	make soak-serve HOURS=0.2 LOAD=20    # whether the harness works
//
// The load is a share of what the machine does, which is measured first, and a report is
// written into doc/figures. It finds: what package ledger finds, that is loss, doubles,
// missing marks and order; every error of a client that no disturbance of that moment
// explains; a secret or an error in the log, and a log that grows with something else than
// connections; counters that become less; what does not stay flat: memory, descriptors,
// goroutines, disk use; a trail with a gap, and whatever `coffer check` finds, in backups
// and at the end.
//
// It cannot tell a slow leak from noise in a run that is short.
package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"coffer/test/ledger"
)

// Config says how to soak.
type Config struct {
	Binary string // made by process.Build
	Dir    string // empty; for the data, the log and the timeline
	// Window is the length of a window, Windows how many there are.
	Window  time.Duration
	Windows int
	Seed    uint64
	// Rate is in messages per second over all flows. 0 is Share of what is measured
	// in Measure at first.
	Rate    float64
	Share   float64
	Measure time.Duration
	Logf    func(format string, args ...any)
	// Out is a directory for the report, soak.md and soak.svg; empty: there is none.
	Out string

	faults []fault
}

// run is one soak.
type run struct {
	*findings
	cfg     Config
	ledger  *ledger.Ledger
	weather weather
	host    *host
	faults  *faults
	excused atomic.Int64
	own     string // key of the API calls
	rows    []row

	possible, offered float64 // messages per second: measured, and of it offered
}

// Run soaks, writes the timeline, and gives the findings. The error says why a run could
// not go on.
func Run(ctx context.Context, cfg Config) (found []string, err error) {
	log, err := os.Create(filepath.Join(cfg.Dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r := &run{
		findings: &findings{logf: cfg.Logf}, cfg: cfg, ledger: ledger.New(),
		faults: newFaults(cfg.faults),
	}
	r.host = &host{
		binary: cfg.Binary, data: filepath.Join(cfg.Dir, "data"),
		heads: filepath.Join(cfg.Dir, "heads"), log: &logbook{to: log, findings: r.findings},
	}
	r.host.secrets = r.secrets
	err = r.soak(ctx)
	r.faults.close()
	if h := r.host; h.place != nil {
		err = errors.Join(err, h.place.Kill())
	}
	err = errors.Join(err, r.report())
	return r.list(), err
}

func (r *run) secrets(words ...string) { r.host.log.secret(words...) }

// random gives a source of its own to each part, from the seed.
func (r *run) random(stream ...int) *rand.Rand {
	n := uint64(1)
	for _, s := range stream {
		n = n*1000 + uint64(s)
	}
	return rand.New(rand.NewPCG(r.cfg.Seed, n))
}

// judge takes an error of something that began at begun: it is explained by what happens,
// or it is a finding. It reports whether it was explained.
func (r *run) judge(what string, err error, begun time.Time) bool {
	if err == nil {
		return false
	}
	if _, ok := r.weather.excused(err, begun); ok {
		r.excused.Add(1)
		return true
	}
	r.addf("%s: %v", what, err)
	return false
}

// soak does all of it.
func (r *run) soak(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.host.start(ctx); err != nil {
		return err
	}
	t := &traffic{run: r, flows: newFlows(), stopping: make(chan struct{})}
	defer t.wait()
	defer cancel()
	if r.offered = r.cfg.Rate; r.offered > 0 {
		setPace(t.flows, r.offered)
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	if r.cfg.Rate == 0 {
		t.measure(ctx)
	}
	r.windows(ctx, t)
	if err := t.end(ctx); err != nil {
		r.addf("%v", err)
		return err
	}
	if err := t.drain(ctx); err != nil {
		return err
	}
	for _, f := range r.ledger.Check() {
		r.addf("%s", f)
	}
	r.faults.close()
	r.final(ctx)
	return nil
}

// windows goes through the plan.
func (r *run) windows(ctx context.Context, t *traffic) {
	s := &sampler{run: r}
	var watching sync.WaitGroup
	watched, stop := context.WithCancel(ctx)
	watching.Go(func() { s.watch(watched, r.cfg.Window/looks) })
	defer watching.Wait()
	defer stop()
	begun := time.Now()
	t.latency.cut()
	for i, w := range newPlan(r.random(0), r.cfg.Windows) {
		if ctx.Err() != nil {
			return
		}
		at := time.Now()
		before := row{lines: r.host.log.count(), refused: t.refused.Load(),
			excused: r.excused.Load()}
		r.window(ctx, i, w)
		now := row{window: w, number: i, at: time.Since(begun), footprint: s.cut()}
		quantiles, n := t.latency.cut(.5, .99)
		now.p50, now.p99 = quantiles[0], quantiles[1]
		now.rate = float64(n) / time.Since(at).Seconds()
		now.disk = diskUse(r.host.data)
		now.lines = r.host.log.count() - before.lines
		now.refused = t.refused.Load() - before.refused
		now.excused = r.excused.Load() - before.excused
		r.rows = append(r.rows, now)
		r.cfg.Logf("%v", now.cells())
		if most := int(maxLines + linesPerSecond*time.Since(at).Seconds()); now.lines > most {
			r.addf("window %d wrote %d lines into the log, where %d are let be", i, now.lines, most)
		}
	}
}

// What the log may have of a window beside the visits of clients: lines for the signed
// heads of the trail, a process that starts, a key that goes and comes.
const (
	maxLines       = 150
	linesPerSecond = 2
)

// window lets happen what the plan says, and lasts its time.
func (r *run) window(ctx context.Context, n int, w window) {
	r.faults.quiet.Store(w.quiet)
	var lanes sync.WaitGroup
	lanes.Go(func() {
		r.lock(ctx, disableKey, r.cfg.Window/5)
		if w.key != none {
			wait(ctx, r.cfg.Window/10)
			r.lock(ctx, w.key, r.cfg.Window/5)
		}
	})
	lanes.Go(func() {
		wait(ctx, time.Duration(r.random(1, n).Int64N(int64(r.cfg.Window/2))))
		r.operate(ctx, w.host)
	})
	lanes.Go(func() { r.accompany(ctx, n) })
	lanes.Go(func() { wait(ctx, r.cfg.Window) })
	if r.faults.list[stranger] && n == 1 {
		r.judge("stranger", errors.New("connection reset by peer"), time.Now().Add(time.Hour))
	}
	if r.faults.list[tell] && n == 1 {
		fmt.Fprintf(r.host.log, "password=%s\n", r.host.sealed.password)
	}
	lanes.Wait()
}

// report writes the timeline and judges the trends.
func (r *run) report() error {
	flat := trends(r.rows, r.addf)
	text := r.markdown(flat)
	r.cfg.Logf("%s\n%s", text, table(r.rows))
	files := map[string]func(io.Writer) error{
		filepath.Join(r.cfg.Dir, "timeline.csv"): func(f io.Writer) error {
			return writeCSV(f, r.rows)
		},
	}
	if r.cfg.Out != "" {
		files[filepath.Join(r.cfg.Out, "soak.md")] = func(f io.Writer) error {
			_, err := io.WriteString(f, text)
			return err
		}
		files[filepath.Join(r.cfg.Out, "soak.svg")] = func(f io.Writer) error {
			return writeSVG(f, r.rows)
		}
	}
	for name, write := range files {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(write(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
