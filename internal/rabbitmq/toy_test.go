package rabbitmq

import (
	"encoding/json"
	"fmt"

	"coffer/internal/broker"
)

// toyDialect keeps arguments as JSON, with the names that policies have.
type toyDialect struct{}

func (toyDialect) read(arguments []byte) map[string]any {
	if len(arguments) == 0 {
		return nil
	}
	m, err := decodeObject(arguments)
	if err != nil {
		panic(fmt.Sprintf("arguments %q: %v", arguments, err))
	}
	return m
}

func (d toyDialect) Arguments(arguments []byte) (map[string]any, error) {
	m := d.read(arguments)
	if m == nil {
		m = map[string]any{}
	}
	return m, nil
}

func (d toyDialect) Alternate(arguments []byte) string {
	s, _ := d.read(arguments)["alternate-exchange"].(string)
	return s
}

func (d toyDialect) Shape(arguments []byte) Shape {
	m := d.read(arguments)
	s := Shape{Kind: KindClassic}
	if kind, ok := m["type"].(string); ok {
		s.Kind = kind
	}
	bound := func(key string) broker.Bound {
		n, ok := integer(m[key])
		return broker.Bound{N: n, Set: ok}
	}
	l := &s.Limits
	l.Expiry, l.Idle = bound("message-ttl"), bound("expires")
	l.MaxLength, l.MaxBytes = bound("max-length"), bound("max-length-bytes")
	if text, ok := m["overflow"].(string); ok {
		l.Overflow, s.Overflow = overflow(s.Kind, text), true
	}
	l.Dead.Address, l.Dead.Set = m["dead-letter-exchange"].(string)
	l.Dead.Key, l.Dead.OwnKey = m["dead-letter-routing-key"].(string)
	if s.Kind == KindQuorum {
		l.Deliveries = broker.AtMost(20)
		if n, ok := integer(m["delivery-limit"]); ok {
			s.Deliveries = true
			l.Deliveries = deliveries(n, &Shape{})
		}
	}
	return s
}

func object(text string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	return m
}
