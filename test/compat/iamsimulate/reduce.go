package iamsimulate

import (
	"encoding/json"
	"slices"
)

// reduce takes away from a scene what it may lack and still be bad.
func reduce(s *scene, bad func(*scene) bool) *scene {
	for again := true; again; {
		again = false
		for i := 0; ; i++ {
			smaller := s.clone()
			if !smaller.drop(i) {
				break
			}
			if bad(smaller) {
				s, again = smaller, true
				i--
			}
		}
	}
	return s
}

// drop takes away the i-th thing that can be, and reports whether there is one.
func (s *scene) drop(i int) bool {
	n := counter(i)
	for j := range s.identity {
		if n.hit() {
			s.identity = slices.Delete(s.identity, j, j+1)
			return true
		}
	}
	for _, d := range []**document{&s.boundary, &s.session, &s.attached} {
		if *d != nil && n.hit() {
			*d = nil
			return true
		}
	}
	for _, d := range s.documents() {
		if d.drop(&n) {
			return true
		}
	}
	for _, key := range sortedKeys(keySet(s.context)) {
		if n.hit() {
			delete(s.context, key)
			return true
		}
	}
	return false
}

func keySet(m map[string][]string) map[string]string {
	out := map[string]string{}
	for k := range m {
		out[k] = ""
	}
	return out
}

// counter counts down to the thing to take away.
type counter int

func (n *counter) hit() bool {
	*n--
	return *n < 0
}

func (d *document) drop(n *counter) bool {
	for i := range d.statements {
		if len(d.statements) > 1 && n.hit() {
			d.statements = slices.Delete(d.statements, i, i+1)
			return true
		}
	}
	for i := range d.statements {
		st := &d.statements[i]
		for j := range st.conditions {
			if n.hit() {
				st.conditions = slices.Delete(st.conditions, j, j+1)
				return true
			}
		}
		for _, list := range []*[]string{&st.actions, &st.resources} {
			if dropFrom(list, n) {
				return true
			}
		}
		if dropFrom(&st.principals, n) {
			return true
		}
		for j := range st.conditions {
			if dropFrom(&st.conditions[j].values, n) {
				return true
			}
		}
	}
	return false
}

// dropFrom leaves at least one.
func dropFrom[T any](list *[]T, n *counter) bool {
	for i := range *list {
		if len(*list) > 1 && n.hit() {
			*list = slices.Delete(*list, i, i+1)
			return true
		}
	}
	return false
}

// show gives a scene as it is sent.
func show(s *scene) string {
	b, err := json.Marshal(s.simulation())
	if err != nil {
		return err.Error()
	}
	return string(b)
}
