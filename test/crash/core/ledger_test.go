package core

import (
	"slices"
	"strings"
	"testing"

	"coffer/internal/broker"
)

// story is a ledger that is told a history by hand.
type story struct {
	*Ledger
	plan  *Plan
	count uint32 // messages so far
	taker int
}

func newStory() *story {
	p := &Plan{Prefix: ""}
	limits := func(l broker.Limits) broker.QueueSpec { return broker.QueueSpec{Limits: l} }
	p.add("cold", Queue{Cold: true, Spec: broker.QueueSpec{MaxPriority: 3}})
	p.add("twin", Queue{Cold: true})
	p.add("work", Queue{})
	p.add("lease", Queue{Pull: Leased, Loose: true})
	p.add("group", Queue{Pull: Leased, Loose: true, Spec: broker.QueueSpec{Groups: true}})
	p.add("late", Queue{Cold: true, Loose: true})
	p.add("brief", Queue{Cold: true, Pull: Taken})
	p.add("purge", Queue{Cold: true, Purged: true})
	p.add("head", Queue{Cold: true, Spec: limits(broker.Limits{MaxLength: broker.AtMost(2)})})
	p.add("once", Queue{Cold: true, Spec: limits(broker.Limits{Dedup: 1000})})
	p.grave(p.add("worn", Queue{Spec: limits(broker.Limits{Deliveries: broker.AtMost(1)})}))
	return &story{Ledger: NewLedger(p), plan: p}
}

// tell applies a record at a time.
func (s *story) tell(at int64, r Record) int {
	r.At = at
	s.Apply(&r)
	return s.at - s.base
}

// send publishes at time 0 and is told so at 1.
func (s *story) send(f Facts, to ...string) ID {
	id := s.sending(f, to...)
	s.tell(1, Record{Kind: Confirmed, IDs: []ID{id}})
	return id
}

func (s *story) sending(f Facts, to ...string) ID {
	s.count++
	id := newID(1, s.count)
	f.To = to
	s.tell(0, Record{Kind: Sending, ID: id, Facts: f})
	return id
}

// keep sends a durable message.
func (s *story) keep(to ...string) ID { return s.send(Facts{Durable: true}, to...) }

// get gives messages to a new taker.
func (s *story) get(at int64, r Record, ids ...ID) int {
	s.taker++
	r.Kind, r.Taker = Got, s.taker
	r.Asked = s.tell(at, Record{Kind: Asking, Queue: r.Queue, Taker: s.taker, N: len(ids)})
	for _, id := range ids {
		r.ID = id
		s.tell(at, r)
	}
	return s.taker
}

// drain gives messages to who takes all, and accepts them.
func (s *story) drain(r Record, ids ...ID) {
	r.Drains = true
	x := s.get(1000, r, ids...)
	s.settle(Accepting, r.Queue, x, ids...)
	s.settle(Settled, r.Queue, x, ids...)
}

func (s *story) settle(k Kind, queue string, taker int, ids ...ID) {
	s.tell(1000, Record{Kind: k, Queue: queue, Taker: taker, IDs: ids})
}

func (s *story) kill() { s.Killed(1000) }

// TestLedger tells every story: each has one fault, and the finding that it must
// give; one without fault gives none.
func TestLedger(t *testing.T) {
	t.Parallel()
	for _, set := range []map[string]tale{plainTales, timeTales, limitTales, wholeTales} {
		for name, c := range set {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newStory()
				c.tell(s)
				found := s.Check()
				match := func(f string) bool { return strings.Contains(f, c.want) }
				silent := c.want == "" && len(found) == 0
				if !silent && (c.want == "" || !slices.ContainsFunc(found, match)) {
					t.Errorf("found %q, want %q", found, c.want)
				}
			})
		}
	}
}

type tale struct {
	want string
	tell func(s *story)
}

var plainTales = map[string]tale{
	"clean": {"", func(s *story) {
		a, b := s.keep("cold", "twin"), s.keep("work")
		s.send(Facts{}, "cold")
		s.sending(Facts{Durable: true}, "cold")
		x := s.get(1, Record{Queue: "work"}, b)
		s.settle(Releasing, "work", x, b)
		s.kill()
		s.drain(Record{Queue: "cold"}, a)
		s.drain(Record{Queue: "twin"}, a)
		s.drain(Record{Queue: "work", Redelivered: true, Count: 1}, b)
	}},
	"lost": {"confirmed 1/1 is lost", func(s *story) { s.keep("work"); s.kill() }},
	"lost after a release": {"is lost", func(s *story) {
		a := s.keep("work")
		x := s.get(1, Record{Queue: "work"}, a)
		s.settle(Releasing, "work", x, a)
		s.settle(Released, "work", x, a)
		s.kill()
	}},
	"lost in a drain": {"is lost", func(s *story) {
		a := s.keep("work")
		s.kill()
		s.get(1, Record{Queue: "work", Drains: true}, a)
		s.kill()
	}},
	"settled comes back": {"settlement was certain", func(s *story) {
		a := s.keep("work")
		x := s.get(1, Record{Queue: "work"}, a)
		s.settle(Accepting, "work", x, a)
		s.settle(Settled, "work", x, a)
		s.kill()
		s.drain(Record{Queue: "work", Redelivered: true}, a)
	}},
	"twice": {"twice in one life", func(s *story) {
		a := s.keep("work")
		s.get(1, Record{Queue: "work"}, a)
		s.get(1, Record{Queue: "work", Redelivered: true}, a)
	}},
	"mark missing": {"not marked", func(s *story) {
		a := s.keep("work")
		s.get(1, Record{Queue: "work"}, a)
		s.kill()
		s.drain(Record{Queue: "work"}, a)
	}},
	"mark without cause": {"nobody could", func(s *story) {
		a := s.keep("cold")
		s.kill()
		s.drain(Record{Queue: "cold", Redelivered: true}, a)
	}},
	"order": {"came after 1/2", func(s *story) {
		a, b := s.keep("cold"), s.keep("cold")
		s.kill()
		s.drain(Record{Queue: "cold"}, b, a)
	}},
	"priority": {"of priority 2 came after", func(s *story) {
		a := s.keep("cold")
		b := s.send(Facts{Durable: true, Priority: 2}, "cold")
		s.kill()
		s.drain(Record{Queue: "cold"}, a, b)
	}},
	"transient": {"outlived", func(s *story) {
		a := s.send(Facts{}, "work")
		s.kill()
		s.drain(Record{Queue: "work"}, a)
	}},
	"refused": {"refused to its publisher", func(s *story) {
		a := s.sending(Facts{Durable: true}, "work")
		s.tell(0, Record{Kind: Refused, IDs: []ID{a}})
		s.drain(Record{Queue: "work"}, a)
	}},
	"wrong queue": {"not routed", func(s *story) {
		s.drain(Record{Queue: "twin"}, s.keep("work"))
	}},
	"invented": {"nobody sent", func(s *story) { s.drain(Record{Queue: "work"}, newID(1, 7)) }},
	"hole": {"is there, but not 1/1", func(s *story) {
		s.sending(Facts{Durable: true}, "cold")
		s.drain(Record{Queue: "cold"}, s.sending(Facts{Durable: true}, "cold"))
	}},
	"half a fan-out": {"but not in twin", func(s *story) {
		s.drain(Record{Queue: "cold"}, s.sending(Facts{Durable: true}, "cold", "twin"))
	}},
	"told of nothing": {"not sent", func(s *story) {
		s.tell(0, Record{Kind: Confirmed, IDs: []ID{newID(1, 1)}})
	}},
	"told twice": {"told of twice", func(s *story) {
		a := s.keep("work")
		s.tell(0, Record{Kind: Confirmed, IDs: []ID{a}})
		s.drain(Record{Queue: "work"}, a)
	}},
	"purged": {"came back after a purge", func(s *story) {
		a := s.keep("purge")
		s.tell(0, Record{Kind: Purging, Queue: "purge"})
		s.tell(0, Record{Kind: Purged, Queue: "purge"})
		s.drain(Record{Queue: "purge"}, a)
	}},
	"lost after a purge": {"is lost", func(s *story) {
		s.tell(0, Record{Kind: Purging, Queue: "purge"})
		s.tell(0, Record{Kind: Purged, Queue: "purge"})
		s.keep("purge")
	}},
	"told by the child": {"as it says", func(s *story) {
		s.tell(0, Record{Kind: Found, Text: "as it says"})
	}},
}

var timeTales = map[string]tale{
	"lease": {"before its lease ended", func(s *story) {
		a := s.keep("lease")
		s.get(100, Record{Queue: "lease", Span: 1000}, a)
		s.get(1099, Record{Queue: "lease", Redelivered: true, Count: 1}, a)
	}},
	"lease over a kill": {"before its lease ended", func(s *story) {
		a := s.keep("lease")
		s.get(100, Record{Queue: "lease", Span: 1000}, a)
		s.kill()
		s.drain(Record{Queue: "lease", Redelivered: true, Count: 1}, a)
	}},
	"lease that ended": {"", func(s *story) {
		a := s.keep("lease")
		s.get(100, Record{Queue: "lease", Span: 800}, a)
		s.kill()
		s.drain(Record{Queue: "lease", Redelivered: true, Count: 1}, a)
	}},
	"lease that was extended": {"before its lease ended", func(s *story) {
		a := s.keep("lease")
		x := s.get(100, Record{Queue: "lease", Span: 10}, a)
		for _, k := range []Kind{Extending, Extended} {
			s.tell(105, Record{Kind: k, Queue: "lease", Taker: x, IDs: []ID{a}, Span: 1000})
		}
		s.drain(Record{Queue: "lease", Redelivered: true, Count: 1}, a)
	}},
	"count of receives": {"has count 0 after 1", func(s *story) {
		a := s.keep("lease")
		s.get(100, Record{Queue: "lease", Span: 10}, a)
		s.drain(Record{Queue: "lease", Redelivered: true}, a)
	}},
	"count too high": {"has count 3 after 1", func(s *story) {
		a := s.keep("lease")
		s.get(100, Record{Queue: "lease", Span: 10}, a)
		s.drain(Record{Queue: "lease", Redelivered: true, Count: 3}, a)
	}},
	"told of late": {"", func(s *story) {
		a := s.keep("lease")
		r := Record{Kind: Got, Queue: "lease", ID: a, Span: 10, Taker: 100}
		r.Asked = s.tell(100, Record{Kind: Asking, Queue: "lease", Taker: 100, N: 1})
		x := s.get(200, Record{Queue: "lease", Span: 10, Redelivered: true, Count: 1}, a)
		s.settle(Accepting, "lease", x, a)
		s.settle(Settled, "lease", x, a)
		s.tell(1000, r)
	}},
	"came late": {"after its settlement was certain", func(s *story) {
		a := s.keep("lease")
		x := s.get(200, Record{Queue: "lease", Span: 10, Redelivered: true, Count: 1}, a)
		s.settle(Accepting, "lease", x, a)
		s.settle(Settled, "lease", x, a)
		s.get(1000, Record{Queue: "lease", Span: 10}, a)
	}},
	"count again": {"came twice with count 1", func(s *story) {
		a := s.keep("lease")
		s.tell(90, Record{Kind: Asking, Queue: "lease", Taker: 100, N: 1})
		s.get(100, Record{Queue: "lease", Span: 10, Redelivered: true, Count: 1}, a)
		s.get(200, Record{Queue: "lease", Span: 10, Redelivered: true, Count: 1}, a)
	}},
	"settled by another": {"which 2 has got since", func(s *story) {
		a := s.keep("lease")
		x := s.get(100, Record{Queue: "lease", Span: 10}, a)
		s.get(200, Record{Queue: "lease", Span: 10, Redelivered: true, Count: 1}, a)
		s.settle(Settled, "lease", x, a)
	}},
	"delay": {"before it was due", func(s *story) {
		s.drain(Record{Queue: "late"}, s.send(Facts{Durable: true, Delay: 1001}, "late"))
	}},
	"expiry": {"after it expired", func(s *story) {
		s.drain(Record{Queue: "brief"}, s.send(Facts{Durable: true, Expiry: 990}, "brief"))
	}},
	"expiry that a lock put off": {"", func(s *story) {
		a := s.send(Facts{Durable: true, Expiry: 990}, "brief")
		s.tell(10, Record{Kind: Locking})
		s.tell(20, Record{Kind: Unlocked})
		s.drain(Record{Queue: "brief"}, a)
	}},
}

var limitTales = map[string]tale{
	"rejected": {"", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Rejecting, "worn", x, a)
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.Rejected)}, a)
	}},
	"rejected, and drained twice": {"", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Rejecting, "worn", x, a)
		s.get(1, Record{Queue: "worn.dead", Drains: true, Reason: int(broker.Rejected)}, a)
		s.kill()
		r := Record{Queue: "worn.dead", Reason: int(broker.Rejected), Redelivered: true}
		s.drain(r, a)
	}},
	"rejected and lost": {"is lost", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Rejecting, "worn", x, a)
		s.settle(Settled, "worn", x, a)
	}},
	"dead without reason": {"which nothing explains", func(s *story) {
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.Rejected)}, s.keep("worn"))
	}},
	"worn out too early": {"which nothing explains", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Releasing, "worn", x, a)
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.DeliveryLimit)}, a)
	}},
	"in two places": {"is here and in worn.dead", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Rejecting, "worn", x, a)
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.Rejected)}, a)
		s.drain(Record{Queue: "worn", Redelivered: true}, a)
	}},
	"dead after it was accepted": {"after it was settled", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Accepting, "worn", x, a)
		s.settle(Settled, "worn", x, a)
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.TooMany)}, a)
	}},
	"dead in somebody's hands": {"while somebody had it", func(s *story) {
		a := s.keep("worn")
		s.get(1, Record{Queue: "worn"}, a)
		s.drain(Record{Queue: "worn.dead", Reason: int(broker.TooMany)}, a)
	}},
	"count of releases": {"has count 0", func(s *story) {
		a := s.keep("worn")
		x := s.get(1, Record{Queue: "worn"}, a)
		s.settle(Releasing, "worn", x, a)
		s.settle(Released, "worn", x, a)
		s.kill()
		s.drain(Record{Queue: "worn", Redelivered: true}, a)
	}},
	"dropped from the middle": {"was dropped, but not 1/1", func(s *story) {
		a := s.keep("head")
		s.keep("head")
		s.drain(Record{Queue: "head"}, a)
	}},
	"too long": {"at most 2 may wait", func(s *story) {
		var all []ID
		for range overshoot + 3 {
			all = append(all, s.keep("head"))
		}
		s.drain(Record{Queue: "head"}, all...)
	}},
}

var wholeTales = map[string]tale{
	"group with two": {"of group g came to 2 while 1 had", func(s *story) {
		f := Facts{Durable: true, Group: "g"}
		a, b := s.send(f, "group"), s.send(f, "group")
		s.get(1, Record{Queue: "group", Span: 1000}, a)
		s.get(2, Record{Queue: "group", Span: 1000}, b)
	}},
	"group out of order": {"of group g came before 1/1", func(s *story) {
		f := Facts{Durable: true, Group: "g"}
		s.send(f, "group")
		s.get(1, Record{Queue: "group", Span: 1000}, s.send(f, "group"))
	}},
	"groups apart": {"", func(s *story) {
		a := s.send(Facts{Durable: true, Group: "g"}, "group")
		b := s.send(Facts{Durable: true, Group: "h"}, "group")
		s.get(1, Record{Queue: "group", Span: 10}, a)
		s.get(2, Record{Queue: "group", Span: 10}, b)
		s.drain(Record{Queue: "group", Redelivered: true, Count: 1}, a, b)
	}},
	"same id": {"which has the same id", func(s *story) {
		f := Facts{Durable: true, Dedup: "x"}
		s.drain(Record{Queue: "once"}, s.send(f, "once"), s.sending(f, "once"))
	}},
	"same id confirmed": {"were both confirmed", func(s *story) {
		f := Facts{Durable: true, Dedup: "x"}
		s.send(f, "once")
		s.send(f, "once")
	}},
	"repetition of nothing": {"nothing with its id", func(s *story) {
		a := s.sending(Facts{Durable: true, Dedup: "x"}, "once")
		s.tell(0, Record{Kind: Repeated, IDs: []ID{a}})
	}},
	"repetition that is there": {"a repetition to its publisher", func(s *story) {
		a := s.sending(Facts{Durable: true, Dedup: "x"}, "once")
		s.tell(0, Record{Kind: Repeated, IDs: []ID{a}})
		s.drain(Record{Queue: "once"}, a)
	}},
	"half a transaction": {"was done", func(s *story) {
		f := Facts{Durable: true, Tx: 1}
		a := s.sending(f, "cold")
		s.sending(f, "twin")
		s.tell(0, Record{Kind: Committing, Facts: Facts{Tx: 1}, Queue: "work"})
		s.drain(Record{Queue: "cold"}, a)
	}},
	"transaction without its acceptance": {"was done", func(s *story) {
		w := s.keep("work")
		x := s.get(1, Record{Queue: "work"}, w)
		a := s.sending(Facts{Durable: true, Tx: 1}, "cold")
		s.tell(0, Record{
			Kind: Committing, Facts: Facts{Tx: 1}, Queue: "work", Taker: x, IDs: []ID{w},
		})
		s.kill()
		s.drain(Record{Queue: "cold"}, a)
		s.drain(Record{Queue: "work", Redelivered: true}, w)
	}},
	"refused transaction": {"was refused", func(s *story) {
		a := s.sending(Facts{Durable: true, Tx: 1}, "cold")
		s.tell(0, Record{Kind: Committing, Facts: Facts{Tx: 1}, Queue: "work"})
		s.tell(0, Record{Kind: Aborted, Facts: Facts{Tx: 1}, Queue: "work"})
		s.drain(Record{Queue: "cold"}, a)
	}},
	"committed and lost": {"is lost", func(s *story) {
		s.sending(Facts{Durable: true, Tx: 1}, "cold")
		s.tell(0, Record{Kind: Committing, Facts: Facts{Tx: 1}, Queue: "work"})
		s.tell(0, Record{Kind: Committed, Facts: Facts{Tx: 1}, Queue: "work"})
	}},
}
