package management

import (
	"strconv"
	"strings"
	"time"
)

// Samples are what counters and lengths were at earlier times. They are asked by many
// goroutines at once and answer from memory.
type Samples interface {
	// Rate is the change of a figure in a second, lately; ok is false when nothing is
	// known of it.
	Rate(of Sampled, figure string) (rate float64, ok bool)
	// History gives what a figure was, at times that lie step apart, as far back as age,
	// the newest first.
	History(of Sampled, figure string, age, step time.Duration) (h History, ok bool)
}

// Sampled names what has figures: a queue or exchange of a virtual host, or without one
// a connection, a channel, a virtual host (by Vhost), or the whole broker (Kind
// overview). Figures have the names that they have in answers; "able" of a queue is the
// milliseconds in which it could deliver at once.
type Sampled struct{ Kind, Vhost, Name string }

// History is what was at earlier times.
type History struct {
	AvgRate, Avg float64
	Samples      []Sample
}

// Sample is one figure at one time.
type Sample struct {
	Sample    int64 `json:"sample"`
	Timestamp int64 `json:"timestamp"` // milliseconds since 1970
}

// sampled reads the key that counters have in a call.
func sampled(key string) Sampled {
	kind, rest, _ := strings.Cut(key, " ")
	switch kind {
	case "queue", "exchange":
		vhost, name, _ := strings.Cut(rest, "\x00")
		return Sampled{kind, vhost, name}
	case "vhost":
		return Sampled{Kind: kind, Vhost: rest}
	case "churn", "node":
		return Sampled{Kind: "overview"}
	}
	return Sampled{Kind: kind, Name: rest}
}

// rate is the change of a counter in a second. Without samples it comes from what the
// caller, and others, saw before.
func (c *call) rate(key, name string, n int64) float64 {
	if s := c.h.cfg.Samples; s != nil {
		if rate, ok := s.Rate(sampled(key), name); ok {
			return rate
		}
	}
	return c.h.meters.rate(key+"\x00"+name, n, c.h.cfg.Now())
}

// details are what is shown beside a counter: its rate, and if the query asks for it,
// what it was.
func (c *call) details(key, name string, n int64) object {
	d := object{"rate": c.rate(key, name, n)}
	age, step, asked := c.span(key, name)
	if !asked || c.h.cfg.Samples == nil {
		return d
	}
	h, ok := c.h.cfg.Samples.History(sampled(key), name, age, step)
	if ok {
		d["avg"], d["avg_rate"], d["samples"] = h.Avg, h.AvgRate, h.Samples
		return d
	}
	// It is too young to have been sampled.
	d["avg"], d["avg_rate"] = n, 0
	d["samples"] = []object{{"sample": n, "timestamp": c.h.cfg.Now().UnixMilli()}}
	return d
}

// maxSpan bounds the time that a query may ask for: a day is kept at most.
const maxSpan = 7 * 24 * 60 * 60 // seconds

// span reads for which time the query wants samples: RabbitMQ has one pair of parameters
// for lengths of queues, one for rates of messages, and so on. What is no number is as
// if it were not there.
func (c *call) span(key, name string) (age, step time.Duration, asked bool) {
	if len(c.query) == 0 {
		return 0, 0, false
	}
	prefix := "msg_rates"
	switch {
	case key == "node":
		prefix = "node_stats"
	case strings.HasPrefix(name, "messages"):
		prefix = "lengths"
	case name == "recv_oct" || name == "send_oct":
		prefix = "data_rates"
	}
	seconds := func(parameter string) (int, bool) {
		n, err := strconv.Atoi(c.query.Get(prefix + parameter))
		return n, err == nil && n > 0 && n <= maxSpan
	}
	far, ok := seconds("_age")
	near, also := seconds("_incr")
	return time.Duration(far) * time.Second, time.Duration(near) * time.Second, ok && also
}
