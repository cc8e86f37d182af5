package federation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/parameter"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/relay"
)

// Defaults of upstreams.
const (
	defaultPrefetch = 1000
	defaultDelay    = 5 * time.Second
	maxDelay        = 24 * time.Hour
	defaultHops     = 1
)

// upstream is a broker that messages come from, as the parameter and an element of a set
// describe it.
type upstream struct {
	name            string
	uris            []*peer.URI
	exchange, queue string
	tag             string
	prefetch        int
	delay           time.Duration // before a link is tried again; 0: it is not
	hops            int
	arguments       amqp.Table // of the queue upstream
	trustUserID     bool
	mode            relay.Mode
	bindNowait      bool
	keep            bool // what is upstream, when the link goes
	raw             string
}

func (u *upstream) far(kind string) string {
	if kind == exchangeLink {
		return u.exchange
	}
	return u.queue
}

// elements reads a set.
func elements(value []byte) (list []map[string]any) {
	v, err := parameter.Decode(value)
	if err != nil {
		return nil
	}
	all, _ := v.([]any)
	for _, e := range all {
		if o, ok := e.(map[string]any); ok {
			list = append(list, o)
		}
	}
	return list
}

// parseUpstream reads a valid parameter; what the element of a set says goes before it.
// name is that of the exchange or queue here; the URI is of the same virtual host if it
// names none.
func parseUpstream(
	p rabbitmq.Parameter, element map[string]any, name string,
) (*upstream, error) {
	v, err := parameter.Decode(p.Value)
	if err != nil {
		return nil, err
	}
	o, _ := v.(map[string]any)
	both := func(k string) any {
		if e, ok := element[k]; ok {
			return e
		}
		return o[k]
	}
	u := &upstream{name: p.Name, arguments: amqp.Table{"x-internal-purpose": "federation"}}
	if u.uris, err = uris(both("uri"), p); err != nil {
		return nil, err
	}
	text := func(k, other string) string {
		s, _ := both(k).(string)
		return cmp.Or(s, other)
	}
	u.exchange, u.queue = text("exchange", name), text("queue", name)
	u.tag = text("consumer-tag", "federation-link-"+p.Name)
	u.prefetch = int(number(both("prefetch-count"), defaultPrefetch, relay.MaxWindow))
	u.hops = int(number(both("max-hops"), defaultHops, 1<<15-1))
	seconds := number(both("reconnect-delay"), defaultDelay.Seconds(), maxDelay.Seconds())
	u.delay = time.Duration(seconds * float64(time.Second))
	for argument, k := range map[string]string{
		"x-expires": "expires", "x-message-ttl": "message-ttl",
	} {
		if n, ok := both(k).(json.Number); ok {
			u.arguments[argument] = int64(number(n, 0, 1<<53))
		}
	}
	if t := text("queue-type", ""); t != "" && t != "classic" {
		u.arguments["x-queue-type"] = t
	}
	u.trustUserID, _ = both("trust-user-id").(bool)
	u.bindNowait, _ = both("bind-nowait").(bool)
	u.keep = text("resource-cleanup-mode", "") == "never"
	u.mode, _ = relay.ParseMode(text("ack-mode", ""))
	e, err := json.Marshal(element)
	u.raw = string(p.Value) + string(e) + "\x00" + p.By
	return u, err
}

// number reads one within 0 and most.
func number(v any, other, most float64) float64 {
	n, ok := v.(json.Number)
	if !ok {
		return other
	}
	f, _ := n.Float64()
	return min(max(f, 0), most)
}

// uris reads one URI or a list of a parameter's.
func uris(v any, p rabbitmq.Parameter) (list []*peer.URI, err error) {
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, e := range all {
		s, _ := e.(string)
		u, err := peer.ParseURI(s, p.Vhost)
		if err == nil {
			err = u.ActFor(p.By)
		}
		if err != nil {
			return nil, fmt.Errorf("uri: %w", err)
		}
		list = append(list, u)
	}
	return list, nil
}
