package federation

import (
	"cmp"
	"encoding/json"
	"time"
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

// timeFormat is RabbitMQ's: local time, the hour without a leading zero.
const timeFormat = "2006-01-02 15:04:05"

func stamp(t time.Time) string {
	s := t.Local().Format(timeFormat)
	if s[11] == '0' {
		return s[:11] + s[12:]
	}
	return s
}

// MarshalJSON gives RabbitMQ's fields.
func (s Status) MarshalJSON() ([]byte, error) {
	o := map[string]any{
		"node": s.Node, s.Type: s.Name, "upstream_" + s.Type: s.Far, "type": s.Type,
		"vhost": s.Vhost, "upstream": s.Upstream, "id": s.ID, "status": s.State,
		"uri": s.URI, "timestamp": stamp(s.Since),
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
