package rabbitmq

import (
	"encoding/json"
	"math"

	"coffer/internal/broker"
)

// longestTime bounds times of policies, in milliseconds: ten years, RabbitMQ's bound of
// those in arguments.
const longestTime = 10 * 365 * 86400 * 1000

// limits gives the rules of a queue: what its arguments and the policies say together.
func (s *state) limits(vhost, name string, own Shape) broker.Limits {
	l := own.Limits
	d := s.effective(vhost, own.Kind, name)
	if d == nil {
		return l
	}
	lesser(&l.Expiry, d, "message-ttl", longestTime)
	lesser(&l.Idle, d, "expires", longestTime)
	lesser(&l.MaxLength, d, "max-length", math.MaxInt64)
	lesser(&l.MaxBytes, d, "max-length-bytes", math.MaxInt64)
	if text, ok := d["overflow"].(string); ok && (own.Kind == KindQuorum || !own.Overflow) {
		l.Overflow = overflow(own.Kind, text)
	}
	if x, ok := d["dead-letter-exchange"].(string); ok && !l.Dead.Set {
		l.Dead.Set, l.Dead.Address = true, x
	}
	if key, ok := d["dead-letter-routing-key"].(string); ok && l.Dead.Set && !l.Dead.OwnKey {
		l.Dead.OwnKey, l.Dead.Key = true, key
	}
	if n, ok := integer(d["delivery-limit"]); ok && own.Kind == KindQuorum {
		l.Deliveries = deliveries(n, &own)
	}
	return l
}

// lesser takes a bound of a definition if it is below what there is.
func lesser(b *broker.Bound, d map[string]any, key string, most int64) {
	n, ok := integer(d[key])
	if n = min(n, most); ok && (!b.Set || n < b.N) {
		*b = broker.AtMost(n)
	}
}

// integer reads a whole number of a definition.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<63
	}
	return 0, false
}

// overflow reads what happens at the maximum length. A quorum queue knows two ways.
func overflow(kind, text string) broker.Overflow {
	switch {
	case text == "reject-publish":
		return broker.RefusePublish
	case text == "reject-publish-dlx" && kind == KindClassic:
		return broker.DeadLetterRefuse
	}
	return broker.DropHead
}

// deliveries gives the delivery limit of a quorum queue, for which a policy says n.
// Negative is none, and counts before any number.
func deliveries(n int64, own *Shape) broker.Bound {
	if own.Deliveries {
		said := own.Limits.Deliveries.N
		if said == math.MaxInt64 {
			said = -1
		}
		if n < 0 || said < 0 {
			n = max(n, said)
		} else {
			n = min(n, said)
		}
	}
	if n < 0 {
		n = math.MaxInt64
	}
	return broker.AtMost(n)
}
