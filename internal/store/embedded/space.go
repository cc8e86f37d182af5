package embedded

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
	"coffer/internal/store"
)

// Bounds of the low-water mark.
const (
	markPercent  = 5         // of the file system, by default
	markLeast    = 512 << 20 // of the default
	markMost     = 8 << 30   // of the default
	markShare    = 4         // no mark is above this part of the file system
	markHigh     = 10        // room is back this part of the mark above it
	reserveShare = 16        // the reserve is no larger than this part of the file system
	stallFirst   = 5 * time.Millisecond
	stallRemind  = 30 * time.Second
)

var _ store.Spacer = (*Engine)(nil)

// Room is [store.Spacer]'s: nil, or a failure of kind [fault.Exhausted].
func (e *Engine) Room() error {
	if why := e.space.refusal.Load(); why != nil {
		return *why
	}
	return nil
}

// Space gives the free bytes of the file system, as last seen, and the mark below which
// new messages are refused.
func (e *Engine) Space() (free, mark uint64) {
	return e.space.free.Load(), e.space.mark.Load()
}

// WatchRoom is [store.Spacer]'s.
func (e *Engine) WatchRoom(fn func()) (stop func()) { return e.space.watch(fn) }

// space watches the file system of an engine. It meets a full disk before it is
// an error: below the mark there is no room for what is new. What is written
// all the same may use up the rest and, in the last resort, the reserve.
type space struct {
	engine  *Engine
	reserve *reserve
	refusal atomic.Pointer[error] // why there is no room
	free    atomic.Uint64         // as last seen
	mark    atomic.Uint64
	poke    chan struct{} // holds a token when the disk is to be looked at now
	closing chan struct{} // closed when nothing waits for room any more
	end     func()        // closes it
	wg      sync.WaitGroup

	mu       sync.Mutex
	state    lack
	low      bool
	stalled  int       // writes that wait
	idle     int       // of them idle ones
	reminded time.Time // when the log last told of them
	watchers map[*func()]struct{}
	blind    bool // the file system does not tell
}

// lack says what there is too little of.
type lack uint8

const (
	lackNothing lack = iota
	lackMark         // free space is below the mark
	lackReserve      // the reserve was given up
	lackAll          // a write waits
)

func newSpace(e *Engine) *space {
	s := &space{
		engine: e, poke: make(chan struct{}, 1), closing: make(chan struct{}),
		watchers: map[*func()]struct{}{},
	}
	s.end = sync.OnceFunc(func() { close(s.closing) })
	s.reserve = &reserve{fs: e.cfg.FS, path: e.path(reserveName)}
	return s
}

// begin looks at the disk, so that it is known before anything is served, and
// goes on until close.
func (s *space) begin() {
	s.look(true)
	s.wg.Go(func() {
		tick := time.NewTicker(s.engine.cfg.PollSpace)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-s.poke:
			case <-s.closing:
				return
			}
			s.look(false)
			s.engine.syncs.check(time.Now())
		}
	})
}

// close lets every write that waits for room fail, and ends the watch.
func (s *space) close() {
	s.end()
	s.wg.Wait()
}

func (s *space) watch(fn func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := &fn
	s.watchers[key] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, key)
	}
}

// look reads how much is free and makes the reserve when there is room for it.
// At the start it only does so where that is quick.
func (s *space) look(quick bool) {
	e := s.engine
	if e.dead() != nil {
		return
	}
	usage, err := e.cfg.FS.GetDiskUsage(e.cfg.Dir)
	mark := e.cfg.LowWater(usage.TotalBytes)
	high := mark + mark/markHigh
	s.mu.Lock()
	if err != nil && !s.blind && !errors.Is(err, vfs.ErrUnsupported) {
		e.cfg.Logger.Error("free space cannot be read", "directory", e.cfg.Dir, "error", err)
	}
	s.blind = err != nil
	if !s.blind {
		s.free.Store(usage.AvailBytes)
		s.mark.Store(mark)
		s.low = usage.AvailBytes < mark || s.low && usage.AvailBytes < high
	}
	size := uint64(e.cfg.FlushBytes)
	if !s.blind {
		size = min(size, usage.TotalBytes/reserveShare)
	}
	make := s.stalled == s.idle && (s.blind || usage.AvailBytes >= high+size)
	s.mu.Unlock()
	if make {
		if err := s.reserve.make(size, quick); err != nil && !store.Full(err) {
			e.fail(fmt.Errorf("make %s: %w", s.reserve.path, err))
		}
	}
	s.update()
}

// update says whether there is room, to those who watch when it changed.
func (s *space) update() {
	s.mu.Lock()
	was, is := s.state, lackNothing
	switch {
	case s.stalled > 0:
		is = lackAll
	case s.reserve.spent.Load():
		is = lackReserve
	case s.low:
		is = lackMark
	}
	s.state = is
	if was == is {
		s.mu.Unlock()
		return
	}
	free, mark := s.free.Load(), s.mark.Load()
	log := s.engine.cfg.Logger.With("directory", s.engine.cfg.Dir,
		"free_bytes", free, "low_water_bytes", mark)
	switch {
	case is == lackNothing:
		s.refusal.Store(nil)
		log.Info("the disk has room again, new messages are taken")
	case was == lackNothing:
		log.Warn("the disk is almost full, new messages are refused; free space on it")
	}
	if is != lackNothing {
		why := noRoom(is, s.engine.cfg.Dir, free, mark)
		s.refusal.Store(&why)
	}
	var told []func()
	if was == lackNothing || is == lackNothing {
		for fn := range s.watchers {
			told = append(told, *fn)
		}
	}
	s.mu.Unlock()
	for _, fn := range told {
		fn()
	}
}

// noRoom is what Room says. Clients see the text, the log also the cause.
func noRoom(l lack, dir string, free, mark uint64) error {
	var cause error
	switch l {
	case lackMark:
		cause = fmt.Errorf("%s: %d bytes are free, below the low-water mark of %d", dir, free, mark)
	case lackReserve:
		cause = fmt.Errorf("%s was full, its reserve was given up", dir)
	default:
		cause = fmt.Errorf("%s is full, writes wait", dir)
	}
	return fault.Wrap(fault.Exhausted, cause, "the disk is almost full: new messages are "+
		"refused until space is freed on the disk of the data directory")
}

// LowWater gives the mark on a file system of that size. A mark that is asked
// for is kept below a share of it, too, since it could never be reached.
func (c *Config) LowWater(total uint64) uint64 {
	mark := c.LowWaterBytes
	switch {
	case c.LowWaterPercent > 0:
		mark = percent(total, c.LowWaterPercent)
	case mark == 0:
		mark = min(max(percent(total, markPercent), markLeast), markMost)
	}
	return min(mark, total/markShare)
}

func percent(of uint64, n int) uint64 {
	high, low := bits.Mul64(of, uint64(n))
	share, _ := bits.Div64(high, low, 100)
	return share
}
