package federation

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/rabbitmq"
)

// Kinds of links.
const (
	exchangeLink = "exchange"
	queueLink    = "queue"
)

// key names a link.
type key struct {
	vhost, kind, name string
	upstream          string
	far               string // name of the exchange or queue upstream
}

// id is what the API calls the link: eight digits of its names.
func (k key) id() string {
	h := fnv.New32a()
	for _, s := range []string{k.vhost, k.kind, k.name, k.upstream, k.far} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

// plan is what a link is to do.
type plan struct {
	key
	upstream *upstream
	policy   string
	address  broker.Address   // of an exchange
	queue    broker.QueueSpec // of a queue
	raw      string           // all that makes it start anew
}

// wanted gives the links that there should be, and notes what was looked at.
func (s *Set) wanted() map[key]*plan {
	clear(s.seen)
	byVhost := map[string]*sources{}
	for _, p := range s.broker.Parameters() {
		if p.Component != Upstream && p.Component != UpstreamSet {
			continue
		}
		from := byVhost[p.Vhost]
		if from == nil {
			from = &sources{map[string]rabbitmq.Parameter{}, map[string][]byte{}}
			byVhost[p.Vhost] = from
		}
		if p.Component == Upstream {
			from.upstreams[p.Name] = p
		} else {
			from.sets[p.Name] = p.Value
		}
	}
	links := map[key]*plan{}
	for vhost, from := range byVhost {
		n, ok := s.broker.Namespace(vhost)
		if !ok || len(from.upstreams) == 0 {
			continue
		}
		t := n.Topology()
		s.seen[vhost] = t
		add := func(kind, policyKind, name string, fill func(*plan)) {
			policy, operator, definition := s.broker.Effective(vhost, policyKind, name)
			for _, u := range from.of(definition, name) {
				p := &plan{upstream: u, policy: policyName(policy, operator)}
				p.key = key{vhost, kind, name, u.name, u.far(kind)}
				fill(p)
				p.raw = p.policy + "\x00" + u.raw
				links[p.key] = p
			}
		}
		t.Addresses(func(a broker.Address) bool {
			if a.Name != "" && !internal(a.Name) {
				add(exchangeLink, rabbitmq.KindExchange, a.Name, func(p *plan) { p.address = a })
			}
			return true
		})
		t.Queues(func(q *broker.Queue) bool {
			spec := q.Spec()
			if !spec.Exclusive && !internal(spec.Name) {
				add(queueLink, s.queueKind(spec), spec.Name, func(p *plan) { p.queue = spec })
			}
			return true
		})
	}
	return links
}

// internal are queues and exchanges of links.
func internal(name string) bool { return strings.HasPrefix(name, "federation: ") }

func policyName(policy, operator *rabbitmq.Policy) string {
	switch {
	case policy != nil:
		return policy.Name
	case operator != nil:
		return operator.Name
	}
	return ""
}

func (s *Set) queueKind(spec broker.QueueSpec) string {
	args, err := s.cfg.Arguments(spec.Arguments)
	if t, ok := args["x-queue-type"].(string); err == nil && ok {
		return t
	}
	return rabbitmq.KindClassic
}

// sources are the upstreams of a virtual host and the sets of them, by name.
type sources struct {
	upstreams map[string]rabbitmq.Parameter
	sets      map[string][]byte
}

// of gives the upstreams that a policy names.
func (f *sources) of(definition map[string]any, name string) (list []*upstream) {
	add := func(element map[string]any) {
		u, _ := element["upstream"].(string)
		if p, ok := f.upstreams[u]; ok {
			if parsed, err := parseUpstream(p, element, name); err == nil {
				list = append(list, parsed)
			}
		}
	}
	if u, ok := definition["federation-upstream"].(string); ok {
		add(map[string]any{"upstream": u})
		return list
	}
	pattern, isPattern := definition["federation-upstream-pattern"].(string)
	set, isSet := definition["federation-upstream-set"].(string)
	switch {
	case isSet && set == "all":
		isPattern, pattern = true, ""
	case isSet:
		for _, e := range elements(f.sets[set]) {
			add(e)
		}
		return list
	}
	if !isPattern {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	for u := range f.upstreams {
		if re.MatchString(u) {
			add(map[string]any{"upstream": u})
		}
	}
	return list
}
