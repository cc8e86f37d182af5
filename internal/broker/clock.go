package broker

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"time"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// Two times are kept in milliseconds. Shard time is the clock's, but never goes
// backwards while the process runs; leases and windows run on it. Domain time is
// shard time without the time that the namespace's domain was locked; messages
// expire and become due by it, so that nobody loses what he could not read.

// tick takes the time of this round.
func (sh *shard) tick() {
	sh.time = max(sh.time, sh.core.cfg.Now().UnixMilli())
}

// clock is the domain time of one namespace.
type clock struct {
	locked int64 // milliseconds that the domain was locked
	since  int64 // shard time at which it was locked; 0: it is open
}

// now gives the domain time.
func (c *clock) now(time int64) int64 {
	if c.since != 0 {
		time = min(time, c.since)
	}
	return time - c.locked
}

// shardTime gives when a domain time comes, if the domain stays open.
func (c *clock) shardTime(domain int64) int64 { return domain + c.locked }

const clockVersion = 1

// append writes version (1), locked (8), since (8).
func (c *clock) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, clockVersion), uint64(c.locked))
	return binary.BigEndian.AppendUint64(dst, uint64(c.since))
}

func parseClock(p []byte) (c clock, err error) {
	r := rowParser{rest: p}
	version := r.byte()
	c.locked, c.since = int64(r.uint64()), int64(r.uint64())
	if version != clockVersion || r.failed || len(r.rest) > 0 || c.locked < 0 || c.since < 0 {
		return c, fmt.Errorf("clock of %d bytes: %w", len(p), seal.ErrFormat)
	}
	return c, nil
}

// turn notes that the domain of n was locked or opened, durably.
func (sh *shard) turn(n *Namespace, locked bool) {
	c := &n.clock
	if locked == (c.since != 0) {
		return
	}
	if locked {
		c.since = max(sh.time, 1)
	} else {
		c.locked += max(sh.time-c.since, 0)
		c.since = 0
	}
	key := clockKey(nil, n.id)
	v, err := sh.place.seal(nil, key, c.append(nil))
	if err != nil {
		sh.fail(fmt.Errorf("seal clock of namespace %x: %w", n.id, err))
		return
	}
	sh.batch.Set(key, v)
}

// loadClock reads the clock of a namespace that is being opened.
func (sh *shard) loadClock(id NamespaceID) (c clock, err error) {
	snap := sh.store.Snapshot()
	defer func() {
		if cerr := snap.Close(); err == nil {
			err = cerr
		}
	}()
	key := clockKey(nil, id)
	v, ok, err := snap.Get(key)
	if err != nil || !ok {
		return c, err
	}
	// Not the owner's place: this is another goroutine.
	p := place{platform: sh.place.platform, shard: sh.id}
	plain, err := p.open(nil, key, v)
	if err != nil {
		return c, err
	}
	if c, err = parseClock(plain); err != nil {
		return c, fmt.Errorf("%w: namespace %x: %w", store.ErrDamaged, id, err)
	}
	return c, nil
}

// wakeAt lets the pump look at q at that shard time, or earlier.
func (sh *shard) wakeAt(q *Queue, at int64) {
	if st := &q.state; st.alarm == 0 || at < st.alarm {
		st.alarm = at
		heap.Push(&sh.alarms, alarm{at, q})
	}
}

// alarm is a queue that wants a look at a shard time. It is stale when its queue
// has another time.
type alarm struct {
	at    int64
	queue *Queue
}

type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}

// ring touches the queues whose time has come.
func (sh *shard) ringAlarms() {
	for len(sh.alarms) > 0 && sh.alarms[0].at <= sh.time {
		a := heap.Pop(&sh.alarms).(alarm)
		if st := &a.queue.state; st.alarm == a.at {
			st.alarm = 0
			sh.touch(a.queue)
		}
	}
}

// setTimer makes the owner come back for the first alarm.
func (sh *shard) setTimer() {
	if len(sh.alarms) == 0 || sh.timerAt != 0 && sh.timerAt <= sh.alarms[0].at {
		return
	}
	if sh.timer != nil {
		sh.timer()
	}
	sh.timerAt = sh.alarms[0].at
	at := time.UnixMilli(min(sh.timerAt, sh.time+maxWait))
	sh.timer = sh.core.cfg.At(at, func() { sh.mail.urgent(request{kind: reqTick}) })
}

// maxWait bounds one wait, in milliseconds: clocks are set.
const maxWait = 60_000

// soon is for a queue with more work than fits one slice: the owner comes back
// to it after what waits now.
func (sh *shard) soon(q *Queue) {
	if !q.state.soon {
		q.state.soon = true
		sh.later = append(sh.later, q)
	}
}

// Slices go on while few batches are under way, so that what others ask for does
// not stand behind many of them; under load, once in so many rounds.
const (
	sliceFlight = 2
	maxPasses   = 8
)

// takeUp touches the queues that wanted another slice.
func (sh *shard) takeUp() {
	if sh.passes++; sh.full() || sh.under >= sliceFlight && sh.passes < maxPasses {
		return
	}
	sh.passes = 0
	for _, q := range sh.later {
		q.state.soon = false
		sh.touch(q)
	}
	clear(sh.later)
	sh.later = sh.later[:0]
}
