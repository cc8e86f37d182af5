package rabbitmq

import (
	"encoding/json"
	"fmt"
)

// read takes a stored row into a state that nobody sees yet. Virtual hosts are not
// opened.
func (s *state) read(kind byte, value []byte) error {
	switch kind {
	case rowBroker:
		return nil
	case rowVhost:
		var v vhostRow
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("vhost: %w", err)
		}
		s.vhosts[v.Name] = &vhost{row: v}
	case rowUser:
		var u userRow
		if err := json.Unmarshal(value, &u); err != nil {
			return fmt.Errorf("user: %w", err)
		}
		to := s.user(u.Name)
		to.row, to.known = u, true
	case rowPermission, rowTopic:
		return s.readPermission(kind, value)
	case rowPolicy, rowOperator:
		var r policyRow
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
		p, err := r.policy(kind == rowOperator)
		if err != nil {
			return fmt.Errorf("policy %q of %q: %w", r.Name, r.Vhost, err)
		}
		s.policies[p.key()] = p
	case rowParameter, rowGlobal:
		var p parameterRow
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("parameter: %w", err)
		}
		s.parameters[parameterKey{p.Component, p.Vhost, p.Name}] = setting{p.Value, p.By}
	default:
		return fmt.Errorf("row of the unknown kind %q", kind)
	}
	return nil
}

func (s *state) readPermission(kind byte, value []byte) error {
	if kind == rowTopic {
		var t topicRow
		if err := json.Unmarshal(value, &t); err != nil {
			return fmt.Errorf("topic permission: %w", err)
		}
		c, err := compileTopic(t)
		if err != nil {
			return fmt.Errorf("topic permission of %q in %q: %w", t.User, t.Vhost, err)
		}
		s.user(t.User).topics[topicKey{t.Vhost, t.Exchange}] = c
		return nil
	}
	var p permissionRow
	if err := json.Unmarshal(value, &p); err != nil {
		return fmt.Errorf("permission: %w", err)
	}
	c, err := compile(p)
	if err != nil {
		return fmt.Errorf("permission of %q in %q: %w", p.User, p.Vhost, err)
	}
	s.user(p.User).permissions[p.Vhost] = c
	return nil
}
