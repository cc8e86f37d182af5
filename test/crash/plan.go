package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"coffer/test/ledger"
)

// plan is one round: what is declared, who publishes and reads, and when the
// process is killed.
type plan struct {
	exchanges  []exchange
	queues     []queuePlan
	publishers []publisherPlan
	consumers  []consumerPlan
	quota      int   // confirmed publishes before the kill
	delayMicro int64 // and microseconds more
	again      int   // deliveries of the drain before a second kill; 0: none
}

type exchange struct{ name, kind string }

type queuePlan struct {
	name     string
	use      ledger.Use
	durable  bool
	exchange string // "" for the default one
	keys     []string
}

// route is one way to publish, and where it leads.
type route struct {
	exchange, key string
	queues        []string
}

type publisherPlan struct {
	seed       uint64
	window     int // publishes not yet told of
	persistent int // percent
	large      int // per mille of bodies that are large
	routes     []route
}

type consumerPlan struct {
	seed     uint64
	queue    string
	prefetch int // 0: it does not settle
	every    int // deliveries settled at once, at most prefetch
	requeue  int // percent of deliveries that are put back
	leave    int // deliveries after which it connects anew; 0: never
}

// limit is how many deliveries may be on their way.
func (p *consumerPlan) limit() int {
	if p.prefetch == 0 {
		return ledger.AnyNumber
	}
	return p.prefetch
}

// barrier is the queue that consumers publish to in order to be sure.
const barrier = "barrier"

// newPlan makes a round up. The prefix keeps the names of rounds apart.
func newPlan(rng *rand.Rand, prefix string) *plan {
	direct, fanout, topic := prefix+"direct", prefix+"fanout", prefix+"topic"
	q := func(name string, use ledger.Use, x string, keys ...string) queuePlan {
		return queuePlan{prefix + name, use, true, x, keys}
	}
	p := &plan{
		exchanges: []exchange{{direct, "direct"}, {fanout, "fanout"}, {topic, "topic"}},
		queues: []queuePlan{
			q(barrier, ledger.Cold, ""),
			q("cold-direct", ledger.Cold, direct, "a", "b"),
			q("cold-fanout-1", ledger.Cold, fanout, ""),
			q("cold-fanout-2", ledger.Cold, fanout, ""),
			q("cold-topic", ledger.Cold, topic, "#.error"),
			q("shared-direct", ledger.Shared, direct, "b", "c"),
			q("shared-topic", ledger.Shared, topic, "app.*.*"),
			q("shared-fanout", ledger.Shared, fanout, ""),
			q("shared-default", ledger.Shared, ""),
			q("auto-topic", ledger.Auto, topic, "*.eu.#"),
			{prefix + "memory", ledger.Shared, false, direct, []string{"c"}},
		},
		quota: rng.IntN(6000), delayMicro: rng.Int64N(4000),
	}
	if rng.IntN(4) == 0 {
		p.quota /= 50 // within the first moments
	}
	if rng.IntN(4) == 0 {
		p.again = 1 + rng.IntN(1000)
	}
	for range 3 + rng.IntN(3) {
		p.publishers = append(p.publishers, p.newPublisher(rng, prefix))
	}
	for i := range p.queues {
		p.newConsumers(rng, &p.queues[i])
	}
	return p
}

func (p *plan) newPublisher(rng *rand.Rand, prefix string) publisherPlan {
	to := func(x, key string, queues ...string) route {
		for i := range queues {
			queues[i] = prefix + queues[i]
		}
		return route{prefix + x, key, queues}
	}
	all := []route{
		to("direct", "a", "cold-direct"), to("direct", "b", "cold-direct", "shared-direct"),
		to("direct", "c", "shared-direct", "memory"), to("direct", "d"),
		to("fanout", "any", "cold-fanout-1", "cold-fanout-2", "shared-fanout"),
		to("topic", "app.eu.error", "cold-topic", "shared-topic", "auto-topic"),
		to("topic", "app.us.info", "shared-topic"), to("topic", "web.eu", "auto-topic"),
		{"", prefix + "shared-default", []string{prefix + "shared-default"}},
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	pub := publisherPlan{
		seed: rng.Uint64(), window: []int{1, 16, 200, 1000}[rng.IntN(4)],
		persistent: []int{100, 70, 70, 30}[rng.IntN(4)], routes: all[:1+rng.IntN(len(all))],
	}
	if rng.IntN(4) == 0 {
		pub.large = 20
	}
	return pub
}

func (p *plan) newConsumers(rng *rand.Rand, q *queuePlan) {
	if q.use == ledger.Cold {
		return
	}
	count := 1
	if q.use == ledger.Shared {
		count += rng.IntN(2)
	}
	for range count {
		c := consumerPlan{seed: rng.Uint64(), queue: q.name}
		if q.use == ledger.Shared {
			c.prefetch = []int{1, 10, 300}[rng.IntN(3)]
			c.every = 1 + rng.IntN(min(c.prefetch, 50))
			c.requeue = []int{0, 0, 5, 30}[rng.IntN(4)]
			c.leave = []int{0, 0, 500}[rng.IntN(3)]
		}
		p.consumers = append(p.consumers, c)
	}
}

// register tells the ledger of the queues.
func (p *plan) register(l *ledger.Ledger) {
	for _, q := range p.queues {
		fanout := ""
		i := p.exchangeOf(q.exchange)
		if i >= 0 && q.use == ledger.Cold && p.exchanges[i].kind == "fanout" {
			fanout = q.exchange
		}
		l.Queue(q.name, q.use, q.durable, fanout)
	}
}

func (p *plan) exchangeOf(name string) int {
	return slices.IndexFunc(p.exchanges, func(x exchange) bool { return x.name == name })
}

// durable gives the queues that survive a kill.
func (p *plan) durable() []string {
	var names []string
	for _, q := range p.queues {
		if q.durable {
			names = append(names, q.name)
		}
	}
	return names
}

func (p *plan) String() string {
	return fmt.Sprintf("%d publishers, %d consumers, kill after %d confirms and %d µs, "+
		"again after %d deliveries",
		len(p.publishers), len(p.consumers), p.quota, p.delayMicro, p.again)
}
