package federation

import (
	"cmp"
	"encoding/json"
	"time"

	"coffer/internal/rabbitmq/peer"
)

// What a link may be doing.
const (
	Starting = "starting"
	Running  = "running"
	Failed   = "error"
)

// Status is what is shown of a link. Its JSON is that of GET /api/federation-links.
type Status struct {
	Node        string // left to who shows it
	ID          string // for Restart
	Vhost       string
	Type        string // exchange or queue
	Name        string // of it here
	Far         string // and upstream
	Upstream    string // name of the parameter
	ConsumerTag string // of a queue's link
	State       string
	Error       string    // no secret
	Since       time.Time // in this state
	URI         string    // without credentials
	Connection  string    // name of those of the link
}

func (s Status) compare(o Status) int {
	return cmp.Or(cmp.Compare(s.Vhost, o.Vhost), cmp.Compare(s.Type, o.Type),
		cmp.Compare(s.Name, o.Name), cmp.Compare(s.Upstream, o.Upstream),
		cmp.Compare(s.Far, o.Far))
}

// Down reports whether the link neither runs nor is about to.
func (s Status) Down() bool { return s.State != Running && s.State != Starting }

// MarshalJSON gives RabbitMQ's fields.
func (s Status) MarshalJSON() ([]byte, error) {
	o := map[string]any{
		"node": s.Node, s.Type: s.Name, "upstream_" + s.Type: s.Far, "type": s.Type,
		"vhost": s.Vhost, "upstream": s.Upstream, "id": s.ID, "status": s.State,
		"uri": s.URI, "timestamp": peer.Stamp(s.Since),
	}
	if s.Type == queueLink {
		o["consumer_tag"] = s.ConsumerTag
	}
	if s.State == Running {
		o["local_connection"] = s.Connection
	}
	if s.Error != "" {
		o["error"] = s.Error
	}
	return json.Marshal(o)
}
