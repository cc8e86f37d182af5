package brokertest

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store/memory"
)

// The model is what a broker is if it never crashed, had no windows and no
// batches: per queue a list of messages, each ready or held by a session.

type modelConsumer struct {
	name      string
	session   string
	queue     string
	credit    int
	priority  int32 // only of a queue with one active consumer
	replenish bool
	auto      bool
	consumer  *broker.Consumer
}

type modelHeld struct {
	delivery broker.Delivery
	message  *modelMessage
	queue    *modelQueue
	consumer *modelConsumer // nil after Get
}

type machine struct {
	tt        *testing.T
	plan      *plan
	engine    *memory.Engine
	clock     *Clock
	cfg       broker.Config
	world     *World
	sessions  map[string]*Client
	held      map[string][]modelHeld
	queues    map[string]*modelQueue
	consumers []*modelConsumer
	byRef     map[uint64]*modelConsumer
	count     int
	early     []early
	focus     string        // the queue to which half of the steps go
	gone      *broker.Queue // one that was deleted
	locked    bool
	lockedAt  time.Time
	lockedFor time.Duration // in all
}

var (
	modelSessions = []string{"s1", "s2", "s3"}
	modelQueues   = []string{
		"durable1", "durable2", "temporary", "narrow", "groups", "single", "durable work",
		"graves",
	}
)

// TestModel plays random histories against the model: COFFER_MODEL_STEPS steps,
// which make test and make soak set, or a few. It is not parallel to other tests:
// each hundred histories have a seed of their own, and the first is the flag's.
func TestModel(t *testing.T) {
	want, err := strconv.Atoi(os.Getenv("COFFER_MODEL_STEPS"))
	if err != nil {
		if want = 20_000; testing.Short() {
			want = 5_000
		}
	}
	first := seed()
	defer reseed(first)
	t.Logf("RAPID_SEED=%d", first)
	p := plan{patience: patience()}
	for round := uint64(0); p.steps < want; round++ {
		reseed(first + round<<16)
		rapid.Check(t, func(rt *rapid.T) { p.history(t, rt) })
	}
	t.Logf("%d steps", p.steps)
}

// plan is what histories have in common.
type plan struct {
	steps    int
	patience time.Duration // with what must come
}

// impatient is the patience from the first time on that something did not come:
// smaller histories are tried then, and most of them would wait.
const impatient = 2 * time.Second

// history plays one history.
func (p *plan) history(t *testing.T, rt *rapid.T) {
	cfg := broker.Config{}
	if rapid.Bool().Draw(rt, "tiny") {
		cfg = Tiny()
		cfg.MaxDedup = 0 // enough
	}
	m := &machine{
		tt: t, plan: p, engine: memory.New(memory.Config{Shards: 3}), clock: NewClock(),
	}
	m.cfg = m.clock.Use(cfg)
	m.focus = rapid.SampledFrom(modelQueues).Draw(rt, "focus")
	m.start(NewDomain())
	rt.Repeat(map[string]func(*rapid.T){
		"publish": m.publish, "consume": m.consume, "settle": m.settle, "cancel": m.cancel,
		"credit": m.credit, "close": m.closeOne, "purge": m.purge, "get": m.get,
		"redeclare": m.redeclare, "lock": m.lock, "crash": m.crash, "torn": m.torn,
		"restart": m.restart, "receive": m.receiveSome, "leases": m.leases, "advance": m.advance,
		"transact": m.transact, "move": m.move, "rotate": m.rotate,
		"": func(rt *rapid.T) {
			m.check(rt)
			p.steps++
		},
	})
	m.end(rt)
	m.stop(rt)
}

func (m *machine) start(d *Domain) {
	m.world = Start(m.tt, m.engine, d, m.cfg)
	m.world.Settle() // it knows whether the domain is locked, before time moves
	m.sessions, m.held = map[string]*Client{}, map[string][]modelHeld{}
	m.gone = nil
	m.consumers, m.byRef = nil, map[uint64]*modelConsumer{}
	old := m.queues
	m.queues = map[string]*modelQueue{}
	for _, name := range modelQueues {
		if q := old[name]; q != nil && q.durable {
			m.queues[name] = q
			q.active = nil
			continue
		}
		m.declare(name)
	}
}

func (m *machine) declare(name string) {
	spec := modelSpec(name)
	m.world.Declare(nil, spec)
	m.queues[name] = &modelQueue{
		durable: spec.Durable, maxPriority: spec.MaxPriority, marks: map[uint8]int{},
		limits: spec.Limits, limited: spec.Limits.Deliveries.Set, loose: name == "graves",
		ids: map[string]*sighting{}, groups: spec.Groups, single: spec.SingleActive,
	}
}

// end ends the sessions one by one: what one had others get, and give back again.
func (m *machine) end(rt *rapid.T) {
	for _, name := range modelSessions {
		if m.sessions[name] != nil {
			m.close(rt, name)
			m.check(rt)
		}
	}
}

// stop ends the process, and what sessions it has.
func (m *machine) stop(rt *rapid.T) {
	for name, c := range m.sessions {
		if err := c.Close(context.Background()); err != nil {
			rt.Fatalf("close of session %s: %v", name, err)
		}
	}
	if err := m.world.Stop(); err != nil {
		rt.Fatal(err)
	}
}

func (m *machine) session(rt *rapid.T) (string, *Client) {
	name := rapid.SampledFrom(modelSessions).Draw(rt, "session")
	if m.sessions[name] == nil {
		m.sessions[name] = m.world.Client(broker.SessionConfig{})
	}
	return name, m.sessions[name]
}

func (m *machine) queue(rt *rapid.T) (string, *modelQueue) {
	name := m.focus
	if rapid.Bool().Draw(rt, "elsewhere") {
		name = rapid.SampledFrom(modelQueues).Draw(rt, "queue")
	}
	return name, m.queues[name]
}

func (m *machine) consume(rt *rapid.T) {
	if len(m.consumers) > 5 {
		return
	}
	s, c := m.session(rt)
	queue, _ := m.queue(rt)
	mc := &modelConsumer{
		session: s, queue: queue, credit: rapid.IntRange(-1, 20).Draw(rt, "credit"),
		replenish: rapid.Bool().Draw(rt, "replenish"), auto: rapid.Bool().Draw(rt, "auto"),
	}
	if m.queues[queue].limits.MaxLength.Set && mc.auto {
		mc.replenish = false // whether credit or the bound is first is for the time to say
	}
	if p := rapid.Int32Range(0, 2).Draw(rt, "priority"); m.queues[queue].single {
		mc.priority = p
	}
	m.count++
	ref := uint64(m.count)
	var err error
	mc.consumer, err = c.Consume(m.tt.Context(), broker.ConsumerSpec{
		Queue: m.world.Queue(queue), Ref: ref, Credit: mc.credit, Replenish: mc.replenish,
		AutoSettle: mc.auto, Priority: mc.priority,
	})
	if err != nil {
		rt.Fatal(err)
	}
	m.consumers = append(m.consumers, mc)
	m.byRef[ref] = mc
	m.elect()
	m.activity(rt, queue)
}

// portion is a part of what a session holds, and what is to be done with it.
type portion struct {
	way        broker.Outcome // 0: it is returned
	list, left []modelHeld
}

func (m *machine) portion(rt *rapid.T, s string) (p portion) {
	p.way = rapid.SampledFrom([]broker.Outcome{
		broker.Accept, broker.Release, broker.Reject, 0,
	}).Draw(rt, "outcome")
	keep := rapid.IntRange(0, 3).Draw(rt, "keep every")
	for i, h := range m.held[s] {
		if keep > 0 && i%keep == 0 {
			p.left = append(p.left, h)
		} else {
			p.list = append(p.list, h)
		}
	}
	return p
}

func (p *portion) settlements() (list []broker.Settlement) {
	for _, h := range p.list {
		list = append(list, broker.Settlement{Ref: h.delivery.Ref, Outcome: p.way})
	}
	return list
}

// settle ends some of what a session holds, in one of the four ways.
func (m *machine) settle(rt *rapid.T) {
	s, c := m.session(rt)
	p := m.portion(rt, s)
	m.settleAll(s, p)
	if p.way != 0 {
		c.Settle(p.settlements())
		return
	}
	var refs []broker.DeliveryRef
	for _, h := range p.list {
		refs = append(refs, h.delivery.Ref)
	}
	c.Return(refs)
}

func (m *machine) settleAll(s string, p portion) {
	for _, h := range p.list {
		m.settled(h, p.way)
	}
	m.held[s] = p.left
}

func (m *machine) settled(h modelHeld, way broker.Outcome) {
	if mc := h.consumer; mc != nil && mc.credit >= 0 && (mc.replenish || way == 0) {
		mc.credit++
	}
	switch way {
	case broker.Release:
		m.back(h.queue, h.message)
	case 0:
		h.message.holder, h.message.taker = "", nil
	case broker.Reject:
		m.die(h.queue, h.message)
	default:
		h.queue.remove(h.message)
	}
}

func (m *machine) cancel(rt *rapid.T) {
	if len(m.consumers) == 0 {
		return
	}
	mc := rapid.SampledFrom(m.consumers).Draw(rt, "consumer")
	if err := m.sessions[mc.session].Cancel(m.tt.Context(), mc.consumer); err != nil {
		rt.Fatal(err)
	}
	m.forget(func(x *modelConsumer) bool { return x == mc })
	m.activity(rt, mc.queue)
}

func (m *machine) forget(which func(*modelConsumer) bool) {
	m.consumers = slices.DeleteFunc(m.consumers, which)
	m.elect()
}

func (m *machine) credit(rt *rapid.T) {
	if len(m.consumers) == 0 {
		return
	}
	mc := rapid.SampledFrom(m.consumers).Draw(rt, "consumer")
	n := rapid.IntRange(-2, 9).Draw(rt, "more")
	m.sessions[mc.session].AddCredit(mc.consumer, n)
	if mc.credit >= 0 {
		mc.credit = max(0, mc.credit+n)
	}
}

func (m *machine) closeOne(rt *rapid.T) {
	s, _ := m.session(rt)
	m.close(rt, s)
}

func (m *machine) close(rt *rapid.T, s string) {
	if err := m.sessions[s].Close(context.Background()); err != nil {
		rt.Fatal(err)
	}
	for _, h := range m.held[s] {
		m.settled(h, broker.Release)
	}
	delete(m.held, s)
	delete(m.sessions, s)
	m.forget(func(x *modelConsumer) bool { return x.session == s })
}

func (m *machine) purge(rt *rapid.T) {
	name, q := m.queue(rt)
	n, err := m.world.Namespace.PurgeQueue(m.tt.Context(), m.world.Queue(name))
	want := len(q.delayed)
	q.delayed = nil
	q.messages = slices.DeleteFunc(q.messages, func(x *modelMessage) bool {
		if x.holder == "" { // ready or leased
			want++
		}
		return x.holder == ""
	})
	if err != nil || n != want {
		rt.Fatalf("purge of %s: %d, %v, want %d", name, n, err, want)
	}
}

func (m *machine) get(rt *rapid.T) {
	s, c := m.session(rt)
	name, q := m.queue(rt)
	d, left, ok, err := c.Get(m.tt.Context(), m.world.Queue(name), false)
	ready := m.takable(q, nil)
	switch {
	case m.locked:
		if fault.KindOf(err) != fault.KeyUnavailable {
			rt.Fatalf("get while locked: %v", err)
		}
		return
	case err != nil || ok != (len(ready) > 0):
		rt.Fatalf("get: %v %v, want %d", ok, err, len(ready))
	case !ok:
		return
	}
	// What is over may be removed before the answer, but for what something else is before.
	all := q.ready()
	live := len(slices.DeleteFunc(slices.Clone(all), m.over))
	if left < live-1 || left > len(all)-1 {
		rt.Fatalf("get says %d remain, want %d to %d", left, live-1, len(all)-1)
	}
	m.delivered(rt, s, nil, q, m.meant(q, ready, 0, &d), d)
}

// meant gives the message of the list that the i-th delivery brings: that one, or,
// of a queue that keeps no order that the model knows, any.
func (m *machine) meant(
	q *modelQueue, list []*modelMessage, i int, d *broker.Delivery,
) *modelMessage {
	if q.loose {
		text, _ := m.world.Text(d) // whoever compares it meets the error again
		for _, x := range list {
			if x.text == text {
				return x
			}
		}
	}
	return list[i]
}

func (m *machine) redeclare(rt *rapid.T) {
	name, q := m.queue(rt)
	old := m.world.Queue(name)
	n, err := m.world.Namespace.DeleteQueue(m.tt.Context(), old, false, false)
	if err != nil || n != len(q.ready()) {
		rt.Fatalf("delete: %d %v, want %d", n, err, len(q.ready()))
	}
	m.forget(func(x *modelConsumer) bool { return x.queue == name })
	m.gone = old
	q.limits = broker.Limits{} // what is still held of it has no dead letters
	m.declare(name)
}

func (m *machine) lock(*rapid.T) {
	if m.locked = !m.locked; m.locked {
		m.lockedAt = m.clock.Now()
		m.world.Lock(true)
	} else {
		m.lockedFor += m.clock.Now().Sub(m.lockedAt)
		m.world.Lock(false)
	}
}

// delivered notes that x was given to a session and checks its mark and text.
func (m *machine) delivered(
	rt *rapid.T, s string, mc *modelConsumer, q *modelQueue, x *modelMessage, d broker.Delivery,
) {
	text, err := m.world.Text(&d)
	if err != nil || text != x.text || d.Redelivered != x.redelivered && !q.loose {
		rt.Fatalf("delivery of %q marked %v (%v), want %q marked %v",
			text, d.Redelivered, err, x.text, x.redelivered)
	}
	q.noteDelivered(x)
	x.holder, x.taker = s, new(int) // of a get: like no other's
	if mc != nil {
		x.taker = mc
	}
	h := modelHeld{d, x, q, mc}
	if mc == nil {
		m.held[s] = append(m.held[s], h)
		return
	}
	if mc.credit == 0 {
		rt.Fatalf("delivery of %q beyond credit", text)
	}
	if mc.credit > 0 {
		mc.credit--
	}
	if mc.auto {
		m.settled(h, broker.Accept)
	} else {
		m.held[s] = append(m.held[s], h)
	}
}
