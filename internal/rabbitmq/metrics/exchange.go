package metrics

import "strings"

// exchangeRow is one exchange as of the request.
type exchangeRow struct {
	labels   string // without type
	kind     string
	in, out  int64
	bindings int
}

func exchangeFamilies() []family[exchangeRow] {
	return []family[exchangeRow]{
		{name: "exchange_metrics", only: true, metrics: []metric[exchangeRow]{
			{"exchange_messages_published_total", counter, "Messages published to an exchange.",
				func(x *exchangeRow) float64 { return float64(x.in) }},
		}},
	}
}

// clusterPrefix is of what RabbitMQ shows of definitions, in the detailed endpoint
// only and under a prefix of their own.
const clusterPrefix = "rabbitmq_cluster_"

// cluster adds what exists in the virtual hosts.
func (s *scene) cluster(t *text, v *view, e *strings.Replacer) {
	if v.families["vhost_status"] {
		t.begin(clusterPrefix+"vhost_status", gauge, "Whether a virtual host is running.")
		for i := range s.vhosts {
			t.sample(clusterPrefix+"vhost_status", pairs(e, "vhost", s.vhosts[i].name), 1)
		}
	}
	if v.families["exchange_names"] {
		name := clusterPrefix + "exchange_name"
		t.begin(name, gauge, "The exchanges. The value is always 1.")
		for _, x := range s.exchanges {
			t.sample(name, x.labels+","+pairs(e, "type", x.kind), 1)
		}
	}
	if v.families["exchange_bindings"] {
		name := clusterPrefix + "exchange_bindings"
		t.begin(name, gauge, "Bindings of an exchange.")
		for _, x := range s.exchanges {
			t.sample(name, x.labels+","+pairs(e, "type", x.kind), float64(x.bindings))
		}
	}
}
