package brokertest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"coffer/internal/broker"
)

// consuming holds the commands about consumers.
func (p *player) consuming() map[string]func(*Client, []string) (string, error) {
	return map[string]func(*Client, []string) (string, error){
		"consume":   p.consume,
		"credit":    p.credit,
		"abandon":   p.abandon,
		"cancel":    p.cancel,
		"cancelled": p.told(broker.Cancelled),
		"activated": p.told(broker.Activated),
		"drain":     p.drain,
		"drained":   p.drained,
	}
}

// consume begins a consumer: session consumer queue credit flags…
func (p *player) consume(c *Client, args []string) (string, error) {
	credit, err := strconv.Atoi(args[2])
	if err != nil {
		return "", err
	}
	ref := uint64(len(p.names) + 1)
	p.names[ref] = args[0]
	spec := broker.ConsumerSpec{Queue: p.world.Queue(args[1]), Ref: ref, Credit: credit}
	if err := p.specify(&spec, args[3:]); err != nil {
		return "", err
	}
	p.consumers[args[0]], err = c.Consume(p.t.Context(), spec)
	return "", err
}

func (p *player) specify(spec *broker.ConsumerSpec, words []string) error {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "replenish":
			spec.Replenish = true
		case "auto":
			spec.AutoSettle = true
		case "exclusive":
			spec.Exclusive = true
		case "activation":
			spec.Activation = true
		case "match": // texts that begin so
			spec.Match = p.match(value)
		case "priority":
			n, err := number(name, value)
			if err != nil {
				return err
			}
			spec.Priority = int32(n)
		default:
			return fmt.Errorf("unknown option %s of a consumer", word)
		}
	}
	return nil
}

// asked is what matches were asked about since the last lock.
type asked struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (a *asked) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = map[string]bool{}
}

func (a *asked) again(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.seen[key]
	a.seen[key] = true
	return was
}

// match wants texts that begin with one of the letters; "panic" panics. It must
// be asked once about a delivery.
func (p *player) match(letters string) func(*broker.Delivery) bool {
	w := p.world
	return func(d *broker.Delivery) bool {
		if letters == "panic" {
			panic("match")
		}
		text, err := w.Text(d)
		if err != nil {
			return false
		}
		if p.asked.again(fmt.Sprint(text, d.Count, d.Consumer, d.Queue)) {
			p.t.Errorf("a match was asked about %q twice", text)
		}
		return strings.ContainsRune(letters, rune(text[0]))
	}
}

func (p *player) credit(c *Client, args []string) (string, error) {
	n, err := strconv.Atoi(args[1])
	c.AddCredit(p.consumers[args[0]], n)
	return "", err
}

// drain asks for a consumer's credit when it got all that there is.
func (p *player) drain(c *Client, args []string) (string, error) {
	c.Drain(p.consumers[args[0]])
	return "", nil
}

// drained waits for that, and shows the consumer and the credit that was left.
func (p *player) drained(c *Client, _ []string) (string, error) {
	e, err := c.Wait(broker.Drained)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d", p.names[e.Consumer.Ref()], e.Tag), e.Err
}

func (p *player) abandon(c *Client, args []string) (string, error) {
	return "", c.Abandon(p.t.Context(), p.consumers[args[0]])
}

func (p *player) cancel(c *Client, args []string) (string, error) {
	return "", c.Cancel(p.t.Context(), p.consumers[args[0]])
}

// told waits for an event about a consumer and shows which.
func (p *player) told(kind broker.EventKind) func(*Client, []string) (string, error) {
	return func(c *Client, _ []string) (string, error) {
		e, err := c.Wait(kind)
		if err != nil {
			return "", err
		}
		return p.names[e.Consumer.Ref()], e.Err
	}
}

// list shows the consumers of a queue: name, priority, credit, and what they are.
func (p *player) list(q *broker.Queue) (string, error) {
	all, err := q.Consumers(p.t.Context())
	var shown []string
	for _, c := range all {
		text := fmt.Sprintf("%s/%d/%d", p.names[c.Ref], c.Priority, c.Credit)
		if c.Active {
			text += "/active"
		}
		if c.Exclusive {
			text += "/exclusive"
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " "), err
}
