package broker

import (
	"sync/atomic"
	"time"
)

// QueueStats is what a queue counts and holds, as of a moment ago. What grows does
// so since the queue was declared or, after that, since the start of the process.
type QueueStats struct {
	Published     int64 // by sessions, so without dead letters and what was moved
	Delivered     int64 // to consumers that settle
	DeliveredAuto int64 // to those with AutoSettle
	Got           int64 // by Get, to be settled
	GotAuto       int64
	Empty         int64                    // calls of Get that found nothing
	Redelivered   int64                    // of the deliveries and those that were got
	Accepted      int64                    // but for what settles by itself
	Died          [DeliveryLimit + 1]int64 // by Reason

	Ready, Unacked, Delayed int64
	Consumers               int

	Bytes, ReadyBytes int64     // of bodies: of all messages, of those that wait
	Durable           int64     // messages that survive a restart
	DurableBytes      int64     // of their bodies
	Memory            int64     // bytes of the messages in memory, as they are kept
	OnDisk            int64     // of those that wait, messages that are not in memory
	OnDiskBytes       int64     // of their bodies
	HeadSince         time.Time // domain time at which the first came; zero: it is not known
	ChangedAt         time.Time // of the last publish, delivery or settlement; zero: none yet
	// Able is for how long the queue could have delivered a message at once.
	Able time.Duration
}

// Add adds what another one has counted.
func (s *QueueStats) Add(o *QueueStats) {
	s.Published += o.Published
	s.Delivered += o.Delivered
	s.DeliveredAuto += o.DeliveredAuto
	s.Got += o.Got
	s.GotAuto += o.GotAuto
	s.Empty += o.Empty
	s.Redelivered += o.Redelivered
	s.Accepted += o.Accepted
	for i, n := range o.Died {
		s.Died[i] += n
	}
}

// figure is what the owner counts of a queue.
type figure int

const (
	figPublished figure = iota
	figDelivered
	figDeliveredAuto
	figGot
	figGotAuto
	figEmpty
	figRedelivered
	figAccepted
	figDied // and one for each Reason

	figures = figDied + figure(DeliveryLimit) + 1
)

// level is what a queue has now.
type level int

const (
	levelBytes level = iota
	levelReadyBytes
	levelDurable
	levelDurableBytes
	levelMemory
	levelOnDisk
	levelOnDiskBytes
	levelHead      // domain time, in milliseconds; 0: it is not known
	levelChanged   // shard time, in milliseconds; 0: not yet
	levelAble      // milliseconds, without those since:
	levelAbleSince // shard time; 0: it is not able

	levels
)

// shown is what the owner lets others see of a queue. It writes it once in a round
// for each queue that changed, before it says what happened: so nobody hears of
// something that is not counted, and a message costs nothing here.
type shown struct {
	figures [figures]atomic.Int64
	levels  [levels]atomic.Int64
}

// show brings what others see of q up to date at the end of the round.
func (sh *shard) show(q *Queue) {
	if !q.state.stale {
		q.state.stale = true
		sh.stale = append(sh.stale, q)
	}
}

// showAll is the end of the round for what others see.
func (sh *shard) showAll() {
	for _, q := range sh.stale {
		q.state.stale = false
		q.show(sh.time)
	}
	clear(sh.stale)
	sh.stale = sh.stale[:0]
}

func (q *Queue) show(time int64) {
	st := &q.state
	sum := &q.namespace.counts.figures[index(q.spec.KeepAll)]
	for i, n := range st.figures {
		if more := n - q.shown.figures[i].Load(); more != 0 {
			q.shown.figures[i].Store(n)
			sum[i].Add(more)
		}
	}
	at := &q.shown.levels
	set(&at[levelBytes], st.heldBody)
	set(&at[levelReadyBytes], st.body)
	set(&at[levelMemory], st.memory)
	var depth, body, head, away, awayBody int64
	for _, l := range st.lanes {
		depth += l.depth
		body += l.body
		away += l.gap.count
		awayBody += l.gap.body
	}
	if l := st.first(); l != nil {
		head = l.since()
	}
	for _, l := range st.lanes {
		if at := l.since(); q.spec.Fair && at != 0 && (head == 0 || at < head) {
			head = at
		}
	}
	set(&at[levelDurable], depth)
	set(&at[levelDurableBytes], body)
	set(&at[levelHead], head)
	set(&at[levelOnDisk], away)
	set(&at[levelOnDiskBytes], awayBody)
	set(&at[levelChanged], time)
	since := &at[levelAbleSince]
	switch able := st.able(); {
	case able && since.Load() == 0:
		since.Store(max(time, 1))
	case !able && since.Load() != 0:
		at[levelAble].Add(max(time-since.Load(), 0))
		since.Store(0)
	}
}

// set stores what is another: a store costs more than a look.
func set(to *atomic.Int64, n int64) {
	if to.Load() != n {
		to.Store(n)
	}
}

// mostAsked bounds the consumers that able looks at.
const mostAsked = 8

// able reports whether a message could be delivered at once.
func (st *queueState) able() bool {
	for _, k := range st.circles {
		for i := range min(k.ring.len(), mostAsked) {
			if (*k.ring.at(i)).roomy() {
				return true
			}
		}
	}
	return false
}

// roomy is able of the shard without its consequences.
func (c *Consumer) roomy() bool {
	l, s := c.spec.Shared, c.session
	return !c.state.cancelled && !c.state.abandoned && c.state.credit != 0 &&
		(l == nil || l.max <= 0 || l.used < l.max) && !s.state.recalling &&
		s.state.unsettled < s.cfg.MaxUnsettled && !s.outbox.full.Load()
}

// countOut counts a message that is given to a consumer, or else to who asked for
// one. What came back without having been seen was counted before.
func (st *queueState) countOut(e *entry, consumer, auto bool) {
	if st.unseen > 0 {
		st.unseen--
		return
	}
	if e.redelivered {
		st.figures[figRedelivered]++
	}
	switch {
	case consumer && auto:
		st.figures[figDeliveredAuto]++
	case consumer:
		st.figures[figDelivered]++
	case auto:
		st.figures[figGotAuto]++
	default:
		st.figures[figGot]++
	}
}

// Stats gives what the queue counts and holds.
func (q *Queue) Stats() QueueStats {
	s, l := counted(&q.shown.figures), &q.shown.levels
	s.Ready, s.Unacked, s.Consumers = q.Counts()
	s.Delayed, s.Bytes = q.Delayed(), l[levelBytes].Load()
	s.ReadyBytes = l[levelReadyBytes].Load()
	s.Durable, s.DurableBytes = l[levelDurable].Load(), l[levelDurableBytes].Load()
	s.Memory, s.OnDisk = l[levelMemory].Load(), l[levelOnDisk].Load()
	s.OnDiskBytes = l[levelOnDiskBytes].Load()
	s.Able = time.Duration(l[levelAble].Load()) * time.Millisecond
	if ms := l[levelHead].Load(); ms != 0 {
		s.HeadSince = time.UnixMilli(ms)
	}
	if ms := l[levelChanged].Load(); ms != 0 {
		s.ChangedAt = time.UnixMilli(ms)
	}
	if since := l[levelAbleSince].Load(); since != 0 {
		now := q.namespace.core.cfg.Now().UnixMilli()
		s.Able += time.Duration(max(now-since, 0)) * time.Millisecond
	}
	return s
}

// counted gives what f holds.
func counted(f *[figures]atomic.Int64) (s QueueStats) {
	s.Published, s.Accepted = f[figPublished].Load(), f[figAccepted].Load()
	s.Delivered, s.DeliveredAuto = f[figDelivered].Load(), f[figDeliveredAuto].Load()
	s.Got, s.GotAuto, s.Empty = f[figGot].Load(), f[figGotAuto].Load(), f[figEmpty].Load()
	s.Redelivered = f[figRedelivered].Load()
	for i := range s.Died {
		s.Died[i] = f[figDied+figure(i)].Load()
	}
	return s
}

// NamespaceStats is what a namespace counts, as of a moment ago, since the process
// has opened it.
type NamespaceStats struct {
	QueuesCreated, QueuesDeleted int64
	// Sums adds up what all queues have counted, those that are gone included, by
	// whether they were ones with QueueSpec.KeepAll. Of each only what grows is set.
	Sums [2]QueueStats
	// Died counts messages by Reason; by whether their queue had dead letters go
	// anywhere; and by whether it was one with QueueSpec.KeepAll.
	Died [DeliveryLimit + 1][2][2]int64
}

// AddressCounts are how many messages were published to an address, and how many
// queues got one of them, together. The doors count, many messages at a time.
type AddressCounts struct{ in, out atomic.Int64 }

// Add counts messages and the queues that they went to.
func (c *AddressCounts) Add(in, out int64) {
	c.in.Add(in)
	c.out.Add(out)
}

// Load gives what was counted.
func (c *AddressCounts) Load() (in, out int64) { return c.in.Load(), c.out.Load() }

// DefaultCounts are those of the address "".
func (n *Namespace) DefaultCounts() *AddressCounts { return &n.counts.direct }

// namespaceCounts are written by the shard's owner, the first two by who holds the
// namespace's mu.
type namespaceCounts struct {
	created, deleted atomic.Int64
	figures          [2][figures]atomic.Int64
	died             [DeliveryLimit + 1][2][2]atomic.Int64
	direct           AddressCounts // the doors'
}

// Stats gives what the namespace counts.
func (n *Namespace) Stats() NamespaceStats {
	s := NamespaceStats{
		QueuesCreated: n.counts.created.Load(), QueuesDeleted: n.counts.deleted.Load(),
	}
	for i := range s.Sums {
		s.Sums[i] = counted(&n.counts.figures[i])
	}
	for i := range s.Died {
		for j := range s.Died[i] {
			for k := range s.Died[i][j] {
				s.Died[i][j][k] = n.counts.died[i][j][k].Load()
			}
		}
	}
	return s
}

func index(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
