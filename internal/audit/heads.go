package audit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/control"
	"coffer/internal/store"
)

// headEvery is how often a head is signed while events come.
const headEvery = time.Second

// rowLast is the id of the last head in table [control.TableHead].
const rowLast = "last"

// HeadConfig says how the trail's trees are signed.
type HeadConfig struct {
	Store StoreID
	// From is what this store was restored from; nil when it never was.
	From *Fork
	// File gets each head as a line; empty = none. It should lie where who can
	// change the store cannot: then it shows also what no store shows of itself.
	File string
	// Every is the time between heads while events come; 1 s.
	Every  time.Duration
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default slog.Default
}

// heads signs how far the trees have grown.
type heads struct {
	cfg    HeadConfig
	l      *Log
	id     *identity
	file   *headFile // nil = none
	signed map[store.ShardID]uint64
	count  atomic.Int64
	failed atomic.Int64
	whole  atomic.Pointer[time.Time] // when a head covered all that there was
	sizes  atomic.Pointer[map[store.ShardID]uint64]

	stop, stopped chan struct{}
}

func newHeads(ctx context.Context, l *Log, cfg HeadConfig) (*heads, error) {
	if cfg.Every == 0 {
		cfg.Every = headEvery
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	h := &heads{cfg: cfg, l: l, stop: make(chan struct{}), stopped: make(chan struct{})}
	h.whole.Store(new(time.Now()))
	ends, err := l.ends(ctx)
	if err != nil {
		return nil, err
	}
	if h.id, err = settle(ctx, l.db, &cfg, ends); err != nil {
		return nil, err
	}
	if cfg.File != "" {
		h.file = newHeadFile(cfg.File, cfg.Logger, func(path string) error {
			return h.id.compare(path, ends)
		})
	}
	cfg.Logger.Info("the audit trail is signed", "key", h.id.verifier, "file", cfg.File)
	go h.run()
	return h, nil
}

// compare tells that a file of heads knows more of this very store than its trees
// hold: somebody put an old copy back.
func (id *identity) compare(path string, ends map[store.ShardID]edge) error {
	v, err := note.NewVerifier(id.verifier)
	if err != nil {
		return err
	}
	last, err := lastHead(path, v)
	if err != nil || last == nil || last.Incarnation != id.Incarnation {
		return err
	}
	for _, t := range last.trees {
		e := ends[t.shard]
		if t.size > e.size || t.size == e.size && t.root != e.root() {
			return fmt.Errorf("%s knew %d events of shard %d at %s, the store has %d, or others: "+
				"an old copy was put back", path, t.size, t.shard,
				last.time.Format(time.RFC3339), e.size)
		}
	}
	return nil
}

// run signs at once, while events come, and once more at stop.
func (h *heads) run() {
	defer close(h.stopped)
	tick := time.NewTicker(h.cfg.Every)
	defer tick.Stop()
	h.try() // what the store was when the process began is told at once
	for {
		select {
		case <-tick.C:
			h.try()
			if h.file != nil {
				h.file.retry()
			}
		case <-h.stop:
			h.try()
			return
		}
	}
}

// try makes a head if something changed. What fails comes with the next one.
func (h *heads) try() {
	if err := h.make(context.Background()); err != nil {
		h.failed.Add(1)
		h.cfg.Logger.Error("no head of the audit trail could be signed", "error", err)
	}
}

func (h *heads) make(ctx context.Context) error {
	now := time.Now()
	ends, err := h.l.ends(ctx)
	if err != nil {
		return err
	}
	sizes := edgeSizes(ends)
	h.sizes.Store(&sizes)
	if maps.Equal(sizes, h.signed) {
		h.whole.Store(&now)
		return nil
	}
	msg, err := h.id.head(ends, h.cfg.Now()).sign(h.id.signer)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	err = h.l.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		tx.Put(control.TableHead, []byte(rowLast), msg)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	h.signed = sizes
	h.whole.Store(&now)
	h.count.Add(1)
	h.cfg.Logger.Info("audit head", "head", string(msg))
	if h.file != nil {
		h.file.add(msg)
	}
	return nil
}

// Stats tells how the trail is signed.
type Stats struct {
	Heads    int64 // that were signed and stored
	Failures int64 // of signing, storing, and writing to the file
	Err      error // why the newest head is not in its file; nil = it is
	// Age is how long ago a head covered all events that there were.
	Age time.Duration
	// Sizes are the events ever put into the tree of each shard, as of that look.
	Sizes map[store.ShardID]uint64
}

// Stats is for metrics and health.
func (l *Log) Stats() Stats {
	if l.heads == nil {
		return Stats{}
	}
	s := Stats{Heads: l.heads.count.Load(), Failures: l.heads.failed.Load()}
	s.Age = time.Since(*l.heads.whole.Load())
	if sizes := l.heads.sizes.Load(); sizes != nil {
		s.Sizes = *sizes
	}
	if f := l.heads.file; f != nil {
		var failed int64
		s.Err, failed = f.state()
		s.Failures += failed
	}
	return s
}

// close signs the last head and waits until it is where it belongs.
func (h *heads) close() {
	close(h.stop)
	<-h.stopped
	if h.file != nil {
		h.file.close()
	}
}

// ends gives the edges of all trees behind what is durable.
func (l *Log) ends(ctx context.Context) (map[store.ShardID]edge, error) {
	ends := map[store.ShardID]edge{l.id: l.tree.end()}
	for _, d := range l.data {
		if e := d.tree.end(); e.size > 0 { // others have none
			ends[d.ID] = e
		}
	}
	err := l.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		e, err := effectsEdge(tx)
		ends[0] = e
		return err
	})
	return ends, err
}

func sorted[K ~uint16, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
