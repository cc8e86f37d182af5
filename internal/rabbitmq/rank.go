package rabbitmq

import (
	"cmp"
	"slices"
)

// scope are the policies of one sort in a virtual host.
type scope struct {
	vhost    string
	operator bool
}

// rank puts the policies of a virtual host into the order in which they are asked: the
// highest priority first, and of equals the first by name.
func (s *state) rank(vhost string) {
	for _, operator := range []bool{false, true} {
		var list []*policy
		for k, p := range s.policies {
			if k.vhost == vhost && k.operator == operator {
				list = append(list, p)
			}
		}
		slices.SortFunc(list, func(a, b *policy) int {
			return cmp.Or(cmp.Compare(b.row.Priority, a.row.Priority),
				cmp.Compare(a.row.Name, b.row.Name))
		})
		if list == nil {
			delete(s.ranked, scope{vhost, operator})
		} else {
			s.ranked[scope{vhost, operator}] = list
		}
	}
}

// best gives the policy that counts, or nil.
func (s *state) best(vhost, kind, name string, operator bool) *policy {
	for _, p := range s.ranked[scope{vhost, operator}] {
		if p.applies(kind, name) {
			return p
		}
	}
	return nil
}

// effective gives what policies say of an exchange or queue; nil is nothing.
func (s *state) effective(vhost, kind, name string) map[string]any {
	p, o := s.best(vhost, kind, name, false), s.best(vhost, kind, name, true)
	if p == nil && o == nil {
		return nil
	}
	return merged(p, o)
}
