package federation

import (
	"encoding/json"
	"fmt"
	"math"

	amqp "github.com/rabbitmq/amqp091-go"
)

// headerBound is the argument that tells by which links a binding has come.
const headerBound = "x-bound-from"

// wanted gives the bindings of the exchange here that go on upstream.
func (e *ends) wanted() (map[string]binding, error) {
	n, ok := e.set.broker.Namespace(e.plan.vhost)
	if !ok {
		return nil, fmt.Errorf("vhost %s not found", e.plan.vhost)
	}
	far, _ := e.far.Properties["cluster_name"].(string)
	want := map[string]binding{}
	for _, b := range n.Bindings() {
		if b.Source != e.plan.name {
			continue
		}
		args, err := e.set.cfg.Arguments(b.Arguments)
		if err != nil {
			return nil, err
		}
		hops, ok := e.hops(args[headerBound], far)
		if !ok {
			continue
		}
		t := table(args)
		before, _ := t[headerBound].([]any)
		t[headerBound] = append([]any{amqp.Table{
			"cluster-name": e.set.cfg.Cluster, "vhost": e.plan.vhost,
			"exchange": e.plan.vhost + ":" + e.plan.name, "hops": int16(hops),
		}}, before...)
		id, err := json.Marshal([]any{b.Key, args})
		if err != nil {
			return nil, err
		}
		want[string(id)] = binding{b.Key, t}
	}
	return want, nil
}

// hops is how many links a binding may still pass, this one counted; not ok: none. A
// binding that has come from other links counts down from the narrowest it has passed,
// and does not go where it has been.
func (e *ends) hops(header any, far string) (hops int, ok bool) {
	hops = e.plan.upstream.hops
	all, _ := header.([]any)
	if len(all) == 0 {
		return hops, hops > 0
	}
	if seen(all, far, e.far.URI.Vhost()) {
		return 0, false
	}
	if last, ok := all[0].(map[string]any); ok {
		if n, ok := last["hops"].(int64); ok {
			hops = int(min(n-1, int64(hops)))
		}
	}
	return hops, hops > 0
}

// seen reports whether a list of links names a virtual host of a cluster.
func seen(list []any, cluster, vhost string) bool {
	for _, e := range list {
		var c, v any
		switch t := e.(type) {
		case map[string]any:
			c, v = t["cluster-name"], t["vhost"]
		case amqp.Table:
			c, v = t["cluster-name"], t["vhost"]
		}
		if c == cluster && v == vhost {
			return true
		}
	}
	return false
}

// table makes arguments of what Config.Arguments gave.
func table(args map[string]any) amqp.Table {
	t := amqp.Table{}
	for k, v := range args {
		t[k] = field(v)
	}
	return t
}

func field(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return table(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = field(e)
		}
		return list
	case uint64: // AMQP 0-9-1 has no such type
		return int64(min(v, math.MaxInt64))
	}
	return v
}
