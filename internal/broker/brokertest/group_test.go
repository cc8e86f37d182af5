package brokertest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/broker"
)

// The groups machine lets consumers, gets and receives take messages of a queue
// with groups, and knows who holds what: of a group never two have messages, and
// who gets one has all earlier ones of its group that are left.

type groupMessage struct {
	number      int
	text, group string
	holder      string // "" while it waits
	session     string // of the holder, if that is not a lease
	ref         broker.DeliveryRef
	lease       broker.LeaseRef
	until       time.Time // of the lease
	back        bool      // it came back once
}

type groupConsumer struct {
	name     string
	session  string
	credit   int
	consumer *broker.Consumer
}

type groups struct {
	tt        *testing.T
	subject   Subject
	clock     *Clock
	cfg       broker.Config
	late      bool // messages may be read, and come a while later
	world     *World
	sessions  map[string]*Client
	consumers map[uint64]*groupConsumer
	messages  []*groupMessage // in the order of publishing
	count     int
	calls     int
}

// TestGroups plays random histories on a queue with groups.
func TestGroups(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &groups{tt: t, subject: onMemory(t), clock: NewClock()}
		if m.late = rapid.Bool().Draw(rt, "tiny"); m.late {
			m.cfg = Tiny()
		}
		m.cfg = m.clock.Use(m.cfg)
		m.world = Start(t, m.subject.Engine, NewDomain(), m.cfg)
		m.world.Declare(nil, broker.QueueSpec{Name: "q", Durable: true, Groups: true})
		m.begin()
		rt.Repeat(map[string]func(*rapid.T){
			"publish": m.publish, "consume": m.consume, "cancel": m.cancel, "credit": m.credit,
			"settle": m.settle, "get": m.get, "receive": m.receive, "lapse": m.lapse,
			"close": m.close, "restart": m.restart, "": m.check,
		})
		m.finish(rt)
	})
}

func (m *groups) begin() {
	m.sessions, m.consumers = map[string]*Client{}, map[uint64]*groupConsumer{}
	for _, name := range []string{"a", "b", "c"} {
		m.sessions[name] = m.world.Client(broker.SessionConfig{})
	}
}

func (m *groups) session(rt *rapid.T) (string, *Client) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "session")
	return name, m.sessions[name]
}

func (m *groups) publish(rt *rapid.T) {
	_, c := m.session(rt)
	for range rapid.IntRange(1, 8).Draw(rt, "messages") {
		m.count++
		group := rapid.SampledFrom([]string{"", "g", "g", "h", "i"}).Draw(rt, "group")
		x := &groupMessage{number: m.count, text: strconv.Itoa(m.count), group: group}
		m.messages = append(m.messages, x)
		like := broker.Message{Key: "q", Durable: true, Group: group}
		if err := c.SendLike(like, x.text); err != nil {
			rt.Fatal(err)
		}
	}
}

func (m *groups) consume(rt *rapid.T) {
	name, c := m.session(rt)
	if len(m.consumers) > 5 {
		return
	}
	m.calls++
	k := &groupConsumer{name: fmt.Sprint("consumer", m.calls), session: name}
	k.credit = rapid.IntRange(0, 4).Draw(rt, "credit")
	m.consumers[uint64(m.calls)] = k
	var err error
	k.consumer, err = c.Consume(rt.Context(), broker.ConsumerSpec{
		Queue: m.world.Queue("q"), Ref: uint64(m.calls), Credit: k.credit,
		Priority: int32(rapid.IntRange(0, 1).Draw(rt, "priority")),
	})
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *groups) pick(rt *rapid.T) (uint64, *groupConsumer) {
	var refs []uint64
	for ref := range m.consumers {
		refs = append(refs, ref)
	}
	if len(refs) == 0 {
		return 0, nil
	}
	slices.Sort(refs)
	ref := rapid.SampledFrom(refs).Draw(rt, "consumer")
	return ref, m.consumers[ref]
}

func (m *groups) cancel(rt *rapid.T) {
	ref, k := m.pick(rt)
	if k == nil {
		return
	}
	if err := m.sessions[k.session].Cancel(context.Background(), k.consumer); err != nil {
		rt.Fatal(err)
	}
	m.poll(rt) // what came before it ended
	delete(m.consumers, ref)
}

func (m *groups) credit(rt *rapid.T) {
	_, k := m.pick(rt)
	if k == nil {
		return
	}
	n := rapid.IntRange(1, 3).Draw(rt, "credit")
	k.credit += n
	m.sessions[k.session].AddCredit(k.consumer, n)
}

// settle accepts or releases some of what is held.
func (m *groups) settle(rt *rapid.T) {
	release := rapid.Bool().Draw(rt, "release")
	third := rapid.IntRange(0, 2).Draw(rt, "third")
	for _, x := range slices.Clone(m.messages) {
		if x.holder == "" || x.number%3 != third {
			continue
		}
		outcome := broker.Accept
		if release {
			outcome = broker.Release
		}
		if x.session != "" {
			s := m.sessions[x.session]
			s.Settle([]broker.Settlement{{Ref: x.ref, Outcome: outcome}})
		} else {
			refs := []broker.LeaseRef{x.lease}
			n, q := m.world.Namespace, m.world.Queue("q")
			got, err := n.SettleLeases(rt.Context(), q, refs, outcome, false)
			if err != nil || got[0] != broker.LeaseDone {
				rt.Fatalf("settle the lease of %s: %v %v", x.text, got, err)
			}
		}
		if m.put(x); !release {
			m.messages = slices.DeleteFunc(m.messages, func(y *groupMessage) bool { return x == y })
		}
	}
}

// put notes that nobody holds x any more.
func (m *groups) put(x *groupMessage) {
	x.holder, x.session, x.back = "", "", true
}

func (m *groups) get(rt *rapid.T) {
	name, c := m.session(rt)
	d, _, ok, err := c.Get(rt.Context(), m.world.Queue("q"), false)
	if err != nil {
		rt.Fatal(err)
	}
	if ok {
		m.calls++
		x := m.took(rt, &d, fmt.Sprint("get", m.calls))
		x.session = name
	}
}

const groupLease = 10 * time.Second

func (m *groups) receive(rt *rapid.T) {
	_, c := m.session(rt)
	list, err := c.Receive(rt.Context(), broker.ReceiveSpec{
		Queue: m.world.Queue("q"), Max: rapid.IntRange(1, 4).Draw(rt, "max"), Lease: groupLease,
	})
	if err != nil {
		rt.Fatal(err)
	}
	m.calls++
	for i := range list {
		x := m.took(rt, &list[i], fmt.Sprint("receive", m.calls))
		x.lease, x.until = list[i].Lease, m.clock.Now().Add(groupLease)
	}
}

func (m *groups) lapse(rt *rapid.T) {
	m.clock.Advance(time.Duration(rapid.IntRange(1, 11).Draw(rt, "seconds")) * time.Second)
	for _, x := range m.messages {
		if x.holder != "" && x.session == "" && !x.until.After(m.clock.Now()) {
			m.put(x)
		}
	}
}

// took notes a delivery and checks whether it may be.
func (m *groups) took(rt *rapid.T, d *broker.Delivery, holder string) *groupMessage {
	text, err := m.world.Text(d)
	if err != nil {
		rt.Fatal(err)
	}
	i := slices.IndexFunc(m.messages, func(x *groupMessage) bool { return x.text == text })
	if i < 0 {
		rt.Fatalf("%s got %s, which is not there any more", holder, text)
	}
	x := m.messages[i]
	if x.holder != "" {
		rt.Fatalf("%s got %s, which %s holds", holder, text, x.holder)
	}
	for j, y := range m.messages {
		switch {
		case x.group == "" || y.group != x.group || y.holder == holder:
		case y.holder != "":
			rt.Fatalf("%s got %s of group %s while %s holds %s", holder, text, x.group, y.holder,
				y.text)
		case j < i && !(m.late && y.back):
			rt.Fatalf("%s got %s of group %s before %s", holder, text, x.group, y.text)
		}
	}
	x.holder, x.ref = holder, d.Ref
	return x
}

// poll takes what was delivered.
func (m *groups) poll(rt *rapid.T) {
	for _, name := range []string{"a", "b", "c"} {
		if err := m.sessions[name].Flush(); err != nil {
			rt.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, d := range m.sessions[name].Pending() {
			k := m.consumers[d.Consumer]
			k.credit--
			x := m.took(rt, &d, k.name)
			x.session = name
		}
	}
}

// check waits until consumers have what they can have.
func (m *groups) check(rt *rapid.T) {
	for end := time.Now().Add(patience()); ; runtime.Gosched() {
		m.poll(rt)
		x := m.stuck()
		if x == nil {
			return
		}
		if time.Now().After(end) {
			rt.Fatalf("%s of group %q waits, and a consumer for it", x.text, x.group)
		}
	}
}

// stuck gives a message that waits although it could go to a consumer.
func (m *groups) stuck() *groupMessage {
	able := false
	for _, k := range m.consumers {
		able = able || k.credit > 0
	}
	if !able {
		return nil
	}
	held := map[string]bool{}
	for _, x := range m.messages {
		held[x.group] = held[x.group] || x.holder != "" && x.group != ""
	}
	for _, x := range m.messages {
		if x.holder == "" && !held[x.group] {
			return x
		}
	}
	return nil
}

// drop ends sessions, or their consumers.
func (m *groups) drop(names ...string) {
	for _, x := range m.messages {
		if slices.Contains(names, x.session) {
			m.put(x)
		}
	}
	for ref, k := range m.consumers {
		if slices.Contains(names, k.session) {
			delete(m.consumers, ref)
		}
	}
}

func (m *groups) close(rt *rapid.T) {
	name, c := m.session(rt)
	if err := c.Close(context.Background()); err != nil {
		rt.Fatal(err)
	}
	m.drop(name)
	m.sessions[name] = m.world.Client(broker.SessionConfig{})
}

func (m *groups) restart(rt *rapid.T) {
	var next = m.subject.Reopen
	crash := rapid.Bool().Draw(rt, "crash")
	if crash {
		m.subject.Engine = m.subject.Crash(m.tt)
	}
	for _, c := range m.sessions {
		if err := c.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	}
	if err := m.world.Stop(); err != nil {
		rt.Fatal(err)
	}
	if !crash {
		m.subject.Engine = next(m.tt)
	}
	m.drop("a", "b", "c")
	m.late = true
	m.world = Start(m.tt, m.subject.Engine, m.world.Domain, m.cfg)
	m.begin()
}

// finish takes all that is left by one consumer.
func (m *groups) finish(rt *rapid.T) {
	m.poll(rt)
	for _, c := range m.sessions {
		if err := c.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	}
	m.drop("a", "b", "c")
	m.clock.Advance(groupLease)
	m.begin()
	for _, x := range m.messages {
		m.put(x)
	}
	c := m.sessions["a"]
	spec := broker.ConsumerSpec{Queue: m.world.Queue("q"), Ref: 1, Credit: -1}
	if _, err := c.Consume(rt.Context(), spec); err != nil {
		rt.Fatal(err)
	}
	for range m.messages {
		e, err := c.Wait(broker.Delivered)
		if err != nil {
			rt.Fatal(err)
		}
		m.took(rt, &e.Delivery, "last")
		c.Settle([]broker.Settlement{{Ref: e.Delivery.Ref, Outcome: broker.Accept}})
	}
	m.poll(rt)
	if ready, unacked, _ := m.world.Queue("q").Counts(); ready+unacked > 0 {
		rt.Fatalf("%d ready and %d in flight are left", ready, unacked)
	}
	for _, c := range m.sessions {
		if err := c.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	}
	if err := m.world.Stop(); err != nil {
		rt.Fatal(err)
	}
}
