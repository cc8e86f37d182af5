package differential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// pair is the two brokers.
type pair struct {
	rabbit, coffer *side
	queues         []string       // that scripts may make
	exchanges      []string       // likewise
	wait           time.Duration  // how long a consequence may be missing on one side
	used           map[string]int // how often a difference explained something
	kinds          map[string]int // how often what was seen, by its first words
	compared       map[string]int // lines of a stream that are known to be alike
}

// verdict is what a comparison found.
type verdict struct {
	text  string // "" is no difference
	final bool   // it will not go away by waiting
}

// play plays a script and gives the first difference that nothing explains, and the
// index of its step.
func (p *pair) play(ctx context.Context, script []step) (at int, difference string, err error) {
	p.compared = map[string]int{}
	for _, s := range []*side{p.rabbit, p.coffer} {
		if err := s.reset(ctx, p.queues, p.exchanges); err != nil {
			return 0, "", err
		}
	}
	for i := range script {
		difference, err := p.step(ctx, &script[i])
		if err != nil {
			return i, "", fmt.Errorf("%s: %w", script[i], err)
		}
		if difference != "" {
			return i, difference, nil
		}
	}
	return 0, "", nil
}

// step lets both sides do one step, and waits until they agree.
func (p *pair) step(ctx context.Context, st *step) (string, error) {
	queues, exchanges := append(slices.Clone(p.queues), generated), []string(nil)
	if st.method != nil && strings.HasPrefix(st.method.ID().String(), "exchange.") {
		exchanges = p.exchanges
	}
	if err := p.rabbit.do(ctx, st, queues, exchanges); err != nil {
		return "", fmt.Errorf("rabbitmq: %w", err)
	}
	if err := p.coffer.do(ctx, st, queues, exchanges); err != nil {
		return "", fmt.Errorf("coffer: %w", err)
	}
	for deadline := time.Now().Add(p.wait); ; {
		v := p.compare()
		if v.text == "" {
			return "", nil
		}
		if v.final || time.Now().After(deadline) {
			return v.text, nil
		}
		if err := p.again(ctx, st.conn, queues, exchanges); err != nil {
			return "", err
		}
	}
}

// again asks both sides once more, a little later.
func (p *pair) again(ctx context.Context, id byte, queues, exchanges []string) error {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := p.rabbit.sync(ctx, id, queues, exchanges); err != nil {
		return err
	}
	return p.coffer.sync(ctx, id, queues, exchanges)
}

// compare compares what clients saw.
func (p *pair) compare() verdict {
	streams := map[string]bool{}
	for name := range p.rabbit.log {
		streams[name] = true
	}
	for name := range p.coffer.log {
		streams[name] = true
	}
	var missing verdict
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		if v := p.stream(name); v.final {
			return v
		} else if v.text != "" {
			missing.text += v.text + "\n"
		}
	}
	if missing.text == "" {
		missing.text = p.states("queue", p.rabbit.depths, p.coffer.depths)
	}
	if missing.text == "" {
		missing.text = p.states("exchange", p.rabbit.shape, p.coffer.shape)
	}
	return missing
}

// stream compares the lines of one stream.
func (p *pair) stream(name string) verdict {
	r, c := p.rabbit.log[name], p.coffer.log[name]
	i := p.compared[name]
	for ; i < len(r) && i < len(c); i++ {
		if !p.alike(name, r[i], c[i]) {
			return verdict{show(name, r[i], c[i]), true}
		}
		p.count(r[i])
	}
	p.compared[name] = i
	switch {
	case len(r) > i:
		return verdict{show(name, r[i], "nothing"), false}
	case len(c) > i:
		return verdict{show(name, "nothing", c[i]), false}
	}
	return verdict{}
}

// count counts a line by its kind.
func (p *pair) count(line string) {
	words := strings.Fields(line)
	kind := words[0]
	switch {
	case strings.HasSuffix(kind, ".close"):
		kind += " " + words[1] + line[min(len(line), 40):min(len(line), 95)]
	case strings.Contains(line, "x-death"):
		kind += " of a dead letter"
	case words[len(words)-1] == "ack" || words[len(words)-1] == "nack":
		kind = words[len(words)-1]
	}
	p.kinds[strings.TrimSuffix(kind, ":")]++
}

func show(where, r, c string) string {
	return fmt.Sprintf("%s:\n\trabbitmq: %s\n\tcoffer:   %s", where, r, c)
}

// states compares answers about things by name.
func (p *pair) states(what string, r, c map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if !p.alike(what+" "+name, r[name], c[name]) {
			return show(what+" "+name, r[name], c[name])
		}
	}
	return ""
}

// alike reports whether two lines are one, or differ as the table says.
func (p *pair) alike(where, r, c string) bool {
	names, ok := explain(where, r, c, 0)
	for _, name := range names {
		p.used[name]++
	}
	return ok
}

// explain gives the names of differences, from the given one of the table on, that make
// two lines one.
func explain(where, r, c string, from int) (names []string, ok bool) {
	if r == c {
		return nil, true
	}
	for i := from; i < len(differences); i++ {
		d := &differences[i]
		if !strings.Contains(where, d.where) {
			continue
		}
		r2, c2 := r, c
		if d.rabbit != nil {
			r2 = d.rabbit.ReplaceAllString(r, d.now)
		}
		if d.coffer != nil {
			c2 = d.coffer.ReplaceAllString(c, d.was)
		}
		if r2 == r && c2 == c {
			continue
		}
		if names, ok := explain(where, r2, c2, i+1); ok {
			return append(names, d.name), true
		}
	}
	return nil, false
}
