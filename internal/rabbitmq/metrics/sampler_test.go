package metrics

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"coffer/internal/broker"
)

// at gives a time so many seconds after some beginning.
func at(seconds float64) time.Time {
	return time.UnixMilli(1_700_000_000_000 + int64(seconds*1000))
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// figureOf gives the latest value and rate of a figure.
func figureOf(t *testing.T, s *Sampler, o Object, name string) (int64, float64) {
	t.Helper()
	stats, ok := s.Stats(o)
	i := indexOf(o.Kind, name)
	if !ok || i < 0 || i >= len(stats.Values) {
		t.Fatalf("%+v has no %s: %v", o, name, stats)
	}
	return stats.Values[i], stats.Rates[i]
}

// TestRates: a rate is the change between the last two samples, whenever they were.
func TestRates(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connections = []Connection{{Name: "c", Channels: []Channel{{Number: 1}}}}
	s.protocols = []Protocol{{Name: "amqp091"}, {Name: "amqp10"}}
	p := NewSampler(s, s, SamplerConfig{})
	c, ch := Object{Kind: OfConnection, Name: "c"}, Object{Kind: OfChannel, Name: "c (1)"}
	if _, ok := p.Stats(c); ok {
		t.Error("there is a sample")
	}
	p.Sample(at(0))
	for _, step := range []struct {
		after, rate float64
		received    uint64
	}{{5, 200, 1000}, {9.999, 0, 1000}, {15.001, 1000, 6002}, {20, 0, 6002}} {
		s.connections[0].ReceivedBytes = step.received
		s.connections[0].Channels[0].Counts.Publish = step.received
		s.protocols[0].Counts.Publish = step.received
		s.protocols[1].Counts.Publish = step.received
		p.Sample(at(step.after))
		for o, name := range map[Object]string{c: "recv_oct", ch: "publish"} {
			if n, rate := figureOf(t, p, o, name); n != int64(step.received) ||
				!near(rate, step.rate) {
				t.Errorf("%v at %v: %d %v, want %v", o, step.after, n, rate, step.rate)
			}
		}
		if n, rate := figureOf(t, p, Object{}, "publish"); n != 2*int64(step.received) ||
			!near(rate, 2*step.rate) {
			t.Errorf("all at %v: %d %v", step.after, n, rate)
		}
	}
	p.Sample(at(20)) // the clock stands still
	p.Sample(at(3))  // or is set back
	if _, rate := figureOf(t, p, c, "recv_oct"); rate != 0 {
		t.Error(rate)
	}
	s.connections = nil
	p.Sample(at(25))
	if _, ok := p.Stats(c); ok || len(p.tracks) != 3 { // all, the virtual host, its ""
		t.Errorf("%v: %v", ok, p.tracks)
	}
}

// TestQueueRates takes samples of a real queue.
func TestQueueRates(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	q := s.queue("q", nil)
	p := NewSampler(s, s, SamplerConfig{Interval: time.Second})
	c := s.world.Client(broker.SessionConfig{})
	defer c.Close(t.Context())
	p.Sample(at(0))
	s.must(c.Send("", "q", true, "1", "2", "3", "4"))
	_, _, _, err := c.Get(t.Context(), q, false)
	s.must(err)
	s.world.Namespace.DefaultCounts().Add(4, 4)
	p.Sample(at(2))
	for o, want := range map[Object]map[string][2]float64{
		{OfQueue, "/", "q"}: {"publish": {4, 2}, "get": {1, .5}, "deliver_get": {1, .5},
			"messages": {4, 2}, "messages_ready": {3, 1.5}, "messages_unacknowledged": {1, .5}},
		{OfVhost, "/", ""}:    {"publish": {4, 2}, "messages": {4, 2}, "get": {1, .5}},
		{OfExchange, "/", ""}: {"publish_in": {4, 2}, "publish_out": {4, 2}},
		{}: {"messages": {4, 2}, "messages_ready": {3, 1.5},
			"messages_unacknowledged": {1, .5}, "queue_created": {1, 0}},
	} {
		for name, w := range want {
			if n, rate := figureOf(t, p, o, name); n != int64(w[0]) || !near(rate, w[1]) {
				t.Errorf("%v %s: %d %v, want %v", o, name, n, rate, w)
			}
		}
	}
	if p.Capacity("/", "q") != 0 || p.Capacity("/", "none") != 0 {
		t.Error("a queue without consumers can deliver")
	}
}

// TestHistory: samples lie on a grid, back from the latest, as far as there are any.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connections = []Connection{{Name: "c"}}
	p := NewSampler(s, s, SamplerConfig{})
	for i := range 20 { // 0 5 10 … 95 seconds; the figure stays at 100 from 50 on
		s.connections[0].SentBytes = min(uint64(i), 10) * 10
		p.Sample(at(float64(5 * i)))
	}
	o := Object{Kind: OfConnection, Name: "c"}
	h, ok := p.History(o, "send_oct", 60*time.Second, 20*time.Second)
	var values []int64
	for i, x := range h.Samples {
		values = append(values, x.Value)
		if want := at(95 - 20*float64(i)); !x.Time.Equal(want) {
			t.Errorf("%d at %v, want %v", i, x.Time, want)
		}
	}
	if !ok || !slices.Equal(values, []int64{100, 100, 100, 70}) || h.Rate != 0 ||
		!near(h.AvgRate, .5) || !near(h.Avg, 92.5) {
		t.Errorf("%v %+v", values, h)
	}
	h, _ = p.History(o, "send_oct", time.Hour, time.Millisecond)
	if len(h.Samples) != 20 || h.Samples[19].Value != 0 {
		t.Errorf("%d samples", len(h.Samples))
	}
	h, _ = p.History(o, "send_oct", -time.Second, 0)
	if len(h.Samples) != 1 || h.AvgRate != 0 {
		t.Errorf("%+v", h)
	}
	if _, ok := p.History(o, "publish", time.Minute, time.Second); ok {
		t.Error("a connection has a figure of a queue")
	}
	if _, ok := p.History(Object{Kind: OfQueue}, "publish", 1, 1); ok {
		t.Error("there is no such queue")
	}
}

// TestSamplesAreBounded: with many busy objects each is remembered for a shorter time.
func TestSamplesAreBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const connections, budget = 1000, 200_000
	for i := range connections {
		s.connections = append(s.connections, Connection{Name: fmt.Sprint(i)})
	}
	p := NewSampler(s, s, SamplerConfig{Budget: budget})
	size := func() (n int) {
		for o, k := range p.tracks {
			if o.Kind > OfVhost {
				n += 8 * (cap(k.times) + cap(k.values))
			}
		}
		return n
	}
	for i := range 100 {
		p.Sample(at(float64(5 * i)))
	}
	if n := size(); n > connections*3*8+3*8 { // nothing happened: one sample of each
		t.Errorf("%d bytes of idle objects", n)
	}
	for i := range 200 {
		for j := range s.connections {
			s.connections[j].ReceivedBytes++
		}
		p.Sample(at(float64(500 + 5*i)))
	}
	if n := size(); n > budget || n < budget/4 {
		t.Errorf("%d bytes, want about %d", n, budget)
	}
	o := Object{Kind: OfConnection, Name: "7"}
	h, ok := p.History(o, "recv_oct", time.Hour, 5*time.Second)
	if !ok || len(h.Samples) < 5 || h.Samples[0].Value != 200 || !near(h.Rate, .2) ||
		!near(h.AvgRate, .2) {
		t.Errorf("%v %+v", ok, h)
	}
	s.connections = s.connections[7:8] // the others go; there is room again
	for i := range 200 {
		s.connections[0].ReceivedBytes++
		p.Sample(at(float64(1500 + 5*i)))
	}
	if h, _ := p.History(o, "recv_oct", time.Hour, 5*time.Second); len(h.Samples) < 200 {
		t.Errorf("%d samples", len(h.Samples))
	}
}

// FuzzTrack: whatever the times and figures, a track finds what held at a time, and
// keeps no more than it may.
func FuzzTrack(f *testing.F) {
	f.Add([]byte{1, 0, 1, 1, 200, 1, 3, 7}, uint8(3))
	f.Fuzz(func(t *testing.T, steps []byte, depth uint8) {
		k, most := track{width: 1}, int(depth)%64+2
		type sample struct{ at, value int64 }
		var all []sample
		now := int64(1)
		for i := 0; i+1 < len(steps); i += 2 {
			now += int64(steps[i]) + 1
			all = append(all, sample{now, int64(steps[i+1])})
			k.add(now, []int64{int64(steps[i+1])}, most)
			if cap(k.times) > most+most/4 || cap(k.values) > most+most/4 {
				t.Fatalf("%d samples are kept, of at most %d", cap(k.times), most)
			}
		}
		for _, x := range all {
			row, ok := k.at(x.at)
			if ok && row[0] != x.value || !ok && x.at >= k.first {
				t.Fatalf("at %d: %v %v, want %d", x.at, row, ok, x.value)
			}
		}
		if h := k.history(0, now, 7); len(all) > 0 && h.Samples[0].Value != all[len(all)-1].value {
			t.Fatalf("%+v", h)
		}
	})
}
