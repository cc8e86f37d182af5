package shovel

import (
	"cmp"
	"encoding/json"
	"time"

	"coffer/internal/rabbitmq/peer"
)

// What a shovel may be doing.
const (
	Starting   = "starting"
	Running    = "running"
	Terminated = "terminated"
)

// Status is what is shown of a shovel. Its JSON is that of GET /api/shovels.
type Status struct {
	Node, Vhost, Name string // Node is left to who shows it
	State             string
	Since             time.Time // in this state
	Reason            string    // why it is terminated; no secret

	// While it runs:
	SourceURI, DestinationURI string // without credentials
	Source                    Place
	Destination               Place
	Blocked                   bool // by the destination
	// Remaining is how many messages are to be settled, RemainingUnacked how many to be
	// sent, until it deletes itself; relay.Unlimited.
	Remaining, RemainingUnacked int64
	Pending, Forwarded          int64
}

// Place is one end of a shovel; what is nil is not set.
type Place struct{ Queue, Exchange, Key *string }

func (s Status) compare(o Status) int {
	return cmp.Or(cmp.Compare(s.Vhost, o.Vhost), cmp.Compare(s.Name, o.Name))
}

// MarshalJSON gives RabbitMQ's fields.
func (s Status) MarshalJSON() ([]byte, error) {
	o := map[string]any{
		"node": s.Node, "timestamp": peer.Stamp(s.Since), "name": s.Name, "vhost": s.Vhost,
		"type": "dynamic", "state": s.State,
	}
	switch s.State {
	case Terminated:
		o["reason"] = s.Reason
	case Running:
		o["src_uri"], o["dest_uri"] = s.SourceURI, s.DestinationURI
		o["src_protocol"], o["dest_protocol"] = "amqp091", "amqp091"
		o["blocked_status"] = Running
		if s.Blocked {
			o["blocked_status"] = "blocked"
		}
		s.Source.put(o, "src")
		s.Destination.put(o, "dest")
		o["remaining"], o["remaining_unacked"] = left(s.Remaining), left(s.RemainingUnacked)
		o["pending"], o["forwarded"] = s.Pending, s.Forwarded
	}
	return json.Marshal(o)
}

func (p Place) put(o map[string]any, end string) {
	for k, v := range map[string]*string{
		"_queue": p.Queue, "_exchange": p.Exchange, "_exchange_key": p.Key,
	} {
		if v != nil {
			o[end+k] = *v
		}
	}
}

func left(n int64) any {
	if n < 0 {
		return "unlimited"
	}
	return n
}
