package brokertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// player runs a script: one command per line, and after "=>" what it must
// answer. Names of sessions and consumers come into being when they are used.
type player struct {
	t         testing.TB
	subject   Subject
	cfg       broker.Config
	clock     *Clock
	world     *World
	clients   map[string]*Client
	consumers map[string]*broker.Consumer
	names     map[uint64]string            // of consumers, by Ref
	held      map[string][]broker.Delivery // by session
	leases    map[string][]broker.LeaseRef // by text
	waits     map[string]*waiting
	asked     asked
	details   bool                    // deliveries are shown with count and history
	ids       map[uint64][16]byte     // of messages, by sequence
	gathered  map[string]*transaction // by session
	moves     map[string]*broker.Move
}

func play(t testing.TB, s Subject, cfg broker.Config, script string) {
	t.Helper()
	p := newPlayer(t, s, NewDomain(), NewClock(), cfg)
	p.run(script)
	p.stop()
}

// newPlayer starts a core.
func newPlayer(
	t testing.TB, s Subject, d *Domain, clock *Clock, cfg broker.Config,
) *player {
	t.Helper()
	p := &player{
		t: t, subject: s, clock: clock, clients: map[string]*Client{},
		consumers: map[string]*broker.Consumer{}, names: map[uint64]string{},
		held: map[string][]broker.Delivery{}, leases: map[string][]broker.LeaseRef{},
		waits:    map[string]*waiting{},
		ids:      map[uint64][16]byte{},
		gathered: map[string]*transaction{}, moves: map[string]*broker.Move{},
	}
	p.asked.reset()
	p.cfg = p.clock.Use(cfg)
	p.cfg.Lead = lead
	p.world = Start(t, s.Engine, d, p.cfg)
	return p
}

// run does what a script says.
func (p *player) run(script string) {
	p.t.Helper()
	for i, line := range strings.Split(script, "\n") {
		command, want, _ := strings.Cut(line, "=>")
		fields := strings.Fields(command)
		if len(fields) == 0 {
			continue
		}
		want = strings.TrimSpace(want)
		got := p.answer(fields, want)
		if got != want {
			p.t.Fatalf("line %d: %s\n got: %s\nwant: %s", i+1, strings.TrimSpace(command), got,
				want)
		}
	}
}

// stop ends the core, and finds the store whole.
func (p *player) stop() {
	p.t.Helper()
	p.closeAll()
	if err := p.world.Stop(); err != nil {
		p.t.Fatal(err)
	}
	healthy(p.t, p.subject.Engine)
}

// answer does a command; with "until" before it again and again, as long as the
// core goes on by itself and the answer is another one than wanted.
func (p *player) answer(fields []string, want string) string {
	until := fields[0] == "until"
	if until {
		fields = fields[1:]
	}
	for deadline := time.Now().Add(patience()); ; {
		got, err := p.do(fields[0], fields[1:])
		if err != nil {
			got = "error: " + fault.KindOf(err).String()
			if fault.KindOf(err) == fault.Internal {
				got = "error: " + err.Error()
			}
		}
		if !until {
			return got
		}
		if err := p.client("until").Flush(); err != nil { // what was seen is durable
			return "error: " + err.Error()
		}
		if got == want || time.Now().After(deadline) {
			return got
		}
	}
}

func (p *player) closeAll() {
	for name, c := range p.clients {
		if err := c.Close(context.Background()); err != nil {
			p.t.Fatalf("close %s: %v", name, err)
		}
	}
	clear(p.clients)
	clear(p.held)
}

func (p *player) client(name string) *Client {
	c, ok := p.clients[name]
	if !ok {
		c = p.world.Client(broker.SessionConfig{})
		p.clients[name] = c
	}
	return c
}

func (p *player) do(command string, args []string) (string, error) {
	switch command {
	case "queue", "address", "alternate", "delete", "bind", "unbind", "drop", "purge", "counts",
		"names", "limits", "consumers", "subscribe":
		return p.topology(command, args)
	case "figures":
		return figuresOf(p.world.Queue(args[0])), nil
	case "head":
		return p.headOf(p.world.Queue(args[0])), nil
	case "bodies":
		return "", p.bodies(args)
	case "parcels", "lost": // a number, which it waits for
		return "", p.crossed(command, args[0])
	case "other", "near":
		return p.elsewhere(command, args)
	case "move", "moved", "moving", "cancel-move":
		return p.move(command, args[0], args[1:])
	case "relocate", "look":
		return p.relocate(command, args)
	case "quota", "usage":
		return p.quota(command, args)
	case "lock":
		p.world.Lock(true)
		return "", nil
	case "unlock":
		p.asked.reset()
		p.world.Lock(false)
		return "", nil
	case "details":
		p.details = args[0] == "on"
		return "", nil
	case "stats": // of the dead, since the start
		s := p.world.Core.Stats()
		return fmt.Sprintf("%d expired %d dropped %d limited %d refused %d dead", s.Expired,
			s.Dropped, s.Limited, s.Refused, s.DeadLettered), nil
	case "advance", "slip": // slip: and no timer is called
		d, err := time.ParseDuration(args[0])
		if command == "slip" {
			p.clock.Slip(d)
		} else {
			p.clock.Advance(d)
		}
		return "", err
	case "receive", "receiving", "received", "withdraw", "extend", "settle-lease":
		return p.lease(command, args)
	case "await": // queue counts: waits for what comes without an event
		q, want := p.world.Queue(args[0]), strings.Join(args[1:], " ")
		return "", p.until(func() bool { return countsOf(q) == want })
	case "ids": // deduplication ids in the store
		n, err := p.world.Rows(0x20)
		return strconv.Itoa(n), err
	case "rotate", "reseal":
		return p.rotate(command)
	case "restart", "crash":
		return "", p.restart(command == "crash")
	}
	return p.session(command, args[0], args[1:])
}

func (p *player) restart(crash bool) error {
	var next store.Engine
	if crash {
		next = p.subject.Crash(p.t)
	}
	p.closeAll()
	if err := p.world.Stop(); err != nil {
		return err
	}
	if !crash {
		next = p.subject.Reopen(p.t)
	}
	healthy(p.t, next)
	p.subject.Engine = next
	p.world = Start(p.t, next, p.world.Domain, p.cfg)
	return nil
}

func (p *player) topology(command string, args []string) (string, error) {
	n, ctx := p.world.Namespace, p.t.Context()
	has := func(flag string) bool { return slices.Contains(args[1:], flag) }
	switch command {
	case "queue":
		spec := broker.QueueSpec{Name: args[0]}
		if err := specify(&spec, args[1:]); err != nil {
			return "", err
		}
		var owner *broker.Session
		if spec.Exclusive {
			owner = p.client(args[len(args)-1]).Session
		}
		_, _, err := n.DeclareQueue(ctx, owner, spec)
		return "", err
	case "address":
		kinds := map[string]broker.AddressKind{
			"direct": broker.Direct, "fanout": broker.Fanout, "pattern": broker.Pattern,
			"matched": broker.Matched, "hashed": broker.Hashed, "drawn": broker.Drawn,
		}
		set, _ := options(args[2:]) // alternate=name
		_, _, err := n.DeclareAddress(ctx, broker.Address{
			Name: args[0], Kind: kinds[args[1]], Durable: has("durable"),
			AutoDelete: has("autodelete"), Alternate: set["alternate"],
		})
		return "", err
	case "alternate": // address other
		return "", n.SetAlternate(ctx, args[0], strings.TrimPrefix(args[1], "-"))
	case "delete": // address
		return "", n.DeleteAddress(ctx, args[0], has("unused"))
	case "bind", "unbind", "subscribe":
		return "", p.bind(command, args)
	case "names":
		return names(n), nil
	}
	q := p.world.Queue(args[0])
	switch command {
	case "limits": // queue options…
		var l broker.Limits
		set, _ := options(args[1:])
		for name, value := range set {
			if err := limit(&l, name, value); err != nil {
				return "", err
			}
		}
		return "", n.SetLimits(ctx, q, l)
	case "drop":
		count, err := n.DeleteQueue(ctx, q, has("unused"), has("empty"))
		if err != nil {
			return "", err
		}
		return strconv.Itoa(count), nil
	case "purge":
		count, err := n.PurgeQueue(ctx, q)
		return strconv.Itoa(count), err
	case "consumers":
		return p.list(q)
	}
	return countsOf(q), nil
}

// names lists all queues and addresses.
func names(n *broker.Namespace) string {
	var list []string
	n.Topology().Queues(func(q *broker.Queue) bool {
		list = append(list, q.Spec().Name)
		return true
	})
	n.Topology().Addresses(func(a broker.Address) bool {
		list = append(list, a.Name)
		return true
	})
	slices.Sort(list)
	return strings.Join(list, " ")
}

func countsOf(q *broker.Queue) string {
	ready, unacked, consumers := q.Counts()
	text := fmt.Sprintf("%d ready %d unacked %d consumers", ready, unacked, consumers)
	if n := q.Delayed(); n > 0 {
		text += fmt.Sprintf(" %d delayed", n)
	}
	return text
}

func (p *player) session(command, name string, args []string) (string, error) {
	c, ctx := p.client(name), p.t.Context()
	if fn := p.consuming()[command]; fn != nil {
		return fn(c, args)
	}
	switch command {
	case "publish", "transient": // session address key options… bodies…
		m, texts, err := p.message(args, command == "publish")
		if err != nil {
			return "", err
		}
		return "", c.SendLike(m, texts...)
	case "send": // as publish; shows the sequences, with a + if they are of earlier ones
		m, texts, err := p.message(args, true)
		if err != nil {
			return "", err
		}
		return p.send(c, m, texts)
	case "tx":
		return p.transact(name, c, args)
	case "fill": // session queue count [name=value]… [transient]: bodies are numbers from 1
		return "", p.fill(c, args)
	case "take":
		return p.take(name, c, args)
	case "more": // what came beyond what was taken
		if err := c.Flush(); err != nil {
			return "", err
		}
		return strconv.Itoa(len(c.Pending())), nil
	case "get", "getauto":
		d, left, ok, err := c.Get(ctx, p.world.Queue(args[0]), command == "getauto")
		if err != nil || !ok {
			return "", err
		}
		text, err := p.show(&d)
		p.held[name] = append(p.held[name], d)
		return text + " " + strconv.Itoa(left), err
	case "accept", "release", "reject":
		return "", p.settle(name, c, command, args)
	case "flush":
		return "", c.Flush()
	case "close":
		delete(p.clients, name)
		delete(p.held, name)
		return "", c.Close(ctx)
	}
	return "", fmt.Errorf("unknown command %q", command)
}

func (p *player) fill(c *Client, args []string) error {
	n, err := strconv.Atoi(args[1])
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strconv.Itoa(i + 1)
	}
	set, rest := options(args[2:])
	like := broker.Message{Key: args[0], Durable: len(rest) == 0}
	if err == nil {
		err = describe(&like, set)
	}
	for len(texts) > 0 && err == nil {
		part := texts[:min(1000, len(texts))]
		texts = texts[len(part):]
		err = c.SendLike(like, part...)
	}
	return err
}

// take waits for so many deliveries and shows them; "check" wants the numbers
// from its argument on and shows nothing but how many.
func (p *player) take(name string, c *Client, args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	var shown []string
	for i := range n {
		e, err := c.Wait(broker.Delivered)
		if err != nil {
			return strings.Join(shown, " "), err
		}
		text, err := p.show(&e.Delivery)
		if err != nil {
			return "", err
		}
		p.held[name] = append(p.held[name], e.Delivery)
		if len(args) > 1 {
			from, err := strconv.Atoi(args[1])
			if err != nil {
				return "", err
			}
			if want := strconv.Itoa(from + i); strings.TrimSuffix(text, "*") != want {
				return "", fmt.Errorf("delivery %d is %q, want %q", i, text, want)
			}
			continue
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " "), nil
}

// show gives the text of a delivery, with a star if it is marked redelivered.
func (p *player) show(d *broker.Delivery) (string, error) {
	text, err := p.text(d)
	if d.Redelivered {
		text += "*"
	}
	if p.details {
		text += details(d)
	}
	return text, err
}

// text gives the text of a delivery as show does without the star.
func (p *player) text(d *broker.Delivery) (string, error) {
	text, err := p.world.Text(d)
	if err != nil {
		return "", err
	}
	return shorten(text)
}

// details gives what a delivery says of its past: the releases, and the deaths in
// brackets, the latest first, with queue, reason, count, address, key, + for further
// keys, and lifetime; then the last address if another.
func details(d *broker.Delivery) string {
	text := ""
	if d.Count > 0 {
		text += "#" + strconv.Itoa(int(d.Count))
	}
	if d.History == nil {
		return text
	}
	reasons := [...]string{"?", "rejected", "expired", "toomany", "limit"}
	for _, x := range d.History.Deaths {
		text += fmt.Sprintf("[%s:%s:%d:%s:%s", x.Queue, reasons[x.Reason], x.Count, x.Address,
			x.Key)
		if x.Copies {
			text += "+"
		}
		if x.Lifetime >= 0 {
			text += ":" + x.Lifetime.String()
		}
		text += "]"
	}
	if last := d.History.LastAddress; last != d.History.Deaths[0].Address {
		text += "<" + last
	}
	return text
}

func (p *player) settle(name string, c *Client, command string, args []string) error {
	set, args := options(args) // delay=ms
	delay, err := strconv.ParseInt(cmp.Or(set["delay"], "0"), 10, 64)
	if err != nil {
		return err
	}
	outcome := outcomes()[command]
	var list []broker.Settlement
	var left []broker.Delivery
	for _, d := range p.held[name] {
		if len(args) > 0 && args[0] != "all" {
			text, err := p.text(&d)
			if err != nil {
				return err
			}
			if !slices.Contains(args, text) {
				left = append(left, d)
				continue
			}
		}
		list = append(list, broker.Settlement{Ref: d.Ref, Outcome: outcome, Delay: delay})
	}
	p.held[name] = left
	c.Settle(list)
	return c.Flush()
}
