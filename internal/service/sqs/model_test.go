package sqs

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The model is what queues are if nothing crashed and nothing took time: lists of
// messages, each with the end of its lease. It knows a standard and a FIFO queue, and
// where their dead letters go.

type modelMessage struct {
	body, group string
	enqueued    time.Time
	due         time.Time // with a delay of its own
	until       time.Time // of the lease
	leased      bool
	count       int
	handles     []string // of its receives from this queue
	life        int      // of the last one
	attempt     *modelAttempt
}

// modelAttempt is a receive that may be made again.
type modelAttempt struct {
	at   time.Time
	size int
}

type modelQueue struct {
	name, url string
	fifo      bool
	dead      *modelQueue // nil: this is for dead letters
	source    *modelQueue
	delay     time.Duration // of a FIFO queue
	list      []*modelMessage
	ids       map[string]sighted
	purged    time.Time
	attempts  map[string]*modelAttempt
	gone      []*modelMessage // that are not in the queue any more, the last few
	over      int             // that expired, and may still be there behind others
}

// sighted is the first message with a deduplication id.
type sighted struct {
	id  string
	end time.Time
}

const (
	modelReceives  = 2 // of a message, before it is dead
	modelRetention = time.Minute
)

type model struct {
	w      *world
	queues []*modelQueue
	sent   int
	life   int // grows with each crash
}

// TestModel plays random histories on queues against the model: COFFER_SQS_STEPS steps,
// or a few. It is not parallel to other tests: histories have seeds of their own.
func TestModel(t *testing.T) {
	want, err := strconv.Atoi(os.Getenv("COFFER_SQS_STEPS"))
	if err != nil {
		want = 3000
	}
	asked := flag.Lookup("rapid.seed").Value.String()
	defer func() { must(t, flag.Set("rapid.seed", asked)) }()
	first, err := strconv.ParseUint(asked, 10, 64)
	must(t, err)
	first = max(first, 1) // the same each time
	steps := 0
	for round := uint64(0); steps < want; round++ {
		must(t, flag.Set("rapid.seed", strconv.FormatUint(first+round<<16, 10)))
		t.Run(strconv.FormatUint(round, 10), func(t *testing.T) {
			w := newWorld(t)
			rapid.Check(t, func(rt *rapid.T) { steps += play(w, rt, steps) })
		})
	}
	t.Logf("%d steps, RAPID_SEED=%d", steps, first)
}

// play plays one history on queues of its own, and gives its steps.
func play(w *world, rt *rapid.T, number int) (steps int) {
	m := newModel(w, fmt.Sprint("h", number))
	rt.Repeat(map[string]func(*rapid.T){
		"send": m.send, "more": m.send, "receive": m.receive, "take": m.receive,
		"delete": m.delete, "change": m.change, "pass": m.pass, "delay": m.delay,
		"move": m.move, "crash": m.crash, "purge": m.purge, "batch": m.sendBatch,
		"again": m.receive, "deletes": m.deleteBatch, "changes": m.changeBatch,
		"": func(*rapid.T) { steps++ },
	})
	for _, q := range m.queues {
		m.agree(q) // what dies of a queue that is deleted is gone
	}
	for _, q := range m.queues {
		w.do("DeleteQueue", object{"QueueUrl": q.url})
	}
	return steps
}

func newModel(w *world, name string) *model {
	m := &model{w: w}
	for _, suffix := range []string{"", ".fifo"} {
		set := object{"VisibilityTimeout": "20",
			"MessageRetentionPeriod": strconv.Itoa(int(modelRetention / time.Second))}
		if suffix != "" {
			set["FifoQueue"] = "true"
		}
		dead := &modelQueue{name: name + "-dead" + suffix, fifo: suffix != "",
			attempts: map[string]*modelAttempt{}}
		dead.url = w.create(dead.name, set)
		for k, v := range redriving(dead.name, modelReceives) {
			set[k] = v
		}
		q := &modelQueue{name: name + suffix, fifo: dead.fifo, dead: dead,
			attempts: map[string]*modelAttempt{}}
		q.url, q.ids, dead.source = w.create(q.name, set), map[string]sighted{}, q
		m.queues = append(m.queues, q, dead)
	}
	return m
}

func (m *model) now() time.Time { return m.w.clock.Now() }

func (m *model) queue(rt *rapid.T) *modelQueue {
	return rapid.SampledFrom(m.queues).Draw(rt, "queue")
}

// visible reports whether a message may be received, but for others of its group.
func (m *model) visible(q *modelQueue, x *modelMessage) bool {
	return !x.leased && !x.due.After(m.now()) && !x.enqueued.Add(q.delay).After(m.now())
}

// free gives what may be received next, in order.
func (m *model) free(q *modelQueue) (list []*modelMessage) {
	shut := map[string]bool{}
	for _, x := range q.list {
		shut[x.group] = shut[x.group] || q.fifo && x.leased
	}
	for _, x := range q.list {
		if m.visible(q, x) && !shut[x.group] {
			list = append(list, x)
		} else if q.fifo && !x.leased {
			shut[x.group] = true
		}
	}
	return list
}

// lapse ends leases whose time is over, and then takes away what is too old.
func (m *model) lapse() {
	for _, q := range m.queues {
		var over []*modelMessage
		for _, x := range q.list {
			if x.leased && !x.until.After(m.now()) {
				over = append(over, x)
			}
		}
		slices.SortStableFunc(over, func(a, b *modelMessage) int {
			return a.until.Compare(b.until)
		})
		for _, x := range over {
			m.back(q, x)
		}
	}
	for _, q := range m.queues {
		before := len(q.list)
		q.list = slices.DeleteFunc(q.list, func(x *modelMessage) bool {
			return !x.leased && !x.enqueued.Add(modelRetention).After(m.now())
		})
		q.over += before - len(q.list)
	}
}

// back ends a lease that was not settled.
func (m *model) back(q *modelQueue, x *modelMessage) {
	x.leased, x.attempt = false, nil
	if q.dead == nil || x.count < modelReceives {
		return
	}
	q.remove(x)
	dead := &modelMessage{body: x.body, group: x.group, enqueued: x.enqueued, due: m.now()}
	if q.fifo {
		dead.enqueued = m.now()
	}
	q.dead.list = append(q.dead.list, dead)
}

// maxGone bounds the messages that are remembered for their handles.
const maxGone = 10

// remove takes a message out of the queue.
func (q *modelQueue) remove(x *modelMessage) {
	x.attempt, x.leased = nil, false
	q.list = slices.DeleteFunc(q.list, func(y *modelMessage) bool { return x == y })
	if len(x.handles) > 0 {
		q.gone = append(q.gone, x)
		q.gone = q.gone[max(0, len(q.gone)-maxGone):]
	}
}

// agree waits until the queue holds what the model says: dead letters and delayed messages
// take a moment.
func (m *model) agree(q *modelQueue) {
	m.lapse()
	var ready, leased, delayed int
	for _, x := range q.list {
		switch {
		case x.leased:
			leased++
		case m.visible(q, x) || q.fifo: // which of them are delayed a crash forgets
			ready++
		default:
			delayed++
		}
	}
	p := m.w.svc.queues[address{realmName{home, here}, q.name}].place.Load()
	var a, b, c int64
	defer func() {
		if m.w.t.Failed() {
			m.w.t.Logf("%s has %d, %d and %d, and not %d with %d, %d and %d", q.name, a, b, c,
				ready, q.over, leased, delayed)
		}
	}()
	m.w.until(func() bool {
		a, b, _ = p.queue.Counts()
		c = p.queue.Delayed()
		if q.fifo {
			a, c = a+c, 0
		}
		if a == 0 && ready == 0 {
			q.over = 0
		}
		return int(a) >= ready && int(a) <= ready+q.over && int(b) == leased && int(c) == delayed
	})
}
