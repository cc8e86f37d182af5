package wire

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// route is an operation's path template taken apart.
type route struct {
	op       *Op
	segments []segment
}

// segment is a part of a path between slashes.
type segment struct {
	literal string // empty for a label
	label   string
	greedy  bool // takes the rest of the path, slashes included
}

func parseRoute(op *Op) (*route, error) {
	r := &route{op: op}
	if !strings.HasPrefix(op.URI, "/") || strings.Contains(op.URI, "?") {
		return nil, fmt.Errorf("operation %s: path %q is not implemented", op.Name, op.URI)
	}
	parts := strings.Split(op.URI[1:], "/")
	for i, s := range parts {
		inner, ok := strings.CutPrefix(s, "{")
		if !ok {
			r.segments = append(r.segments, segment{literal: s})
			continue
		}
		inner, ok = strings.CutSuffix(inner, "}")
		name, greedy := strings.CutSuffix(inner, "+")
		if !ok || name == "" || greedy && i != len(parts)-1 {
			return nil, fmt.Errorf("operation %s: path %q is not implemented", op.Name, op.URI)
		}
		r.segments = append(r.segments, segment{label: name, greedy: greedy})
	}
	return r, nil
}

// order puts the route first that says more: a literal before a label, a label
// before a greedy one.
func (r *route) order(s *route) int {
	for i := range min(len(r.segments), len(s.segments)) {
		if d := r.segments[i].rank() - s.segments[i].rank(); d != 0 {
			return d
		}
	}
	if d := len(s.segments) - len(r.segments); d != 0 {
		return d
	}
	return strings.Compare(r.op.Name, s.op.Name)
}

func (s segment) rank() int {
	switch {
	case s.greedy:
		return 2
	case s.label != "":
		return 1
	}
	return 0
}

// match gives the path's labels, still percent-encoded, by name.
func (r *route) match(path string) (map[string]string, bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, false
	}
	labels := map[string]string{}
	for i, s := range r.segments {
		if s.greedy {
			labels[s.label] = rest
			return labels, rest != ""
		}
		part, tail, more := strings.Cut(rest, "/")
		if s.label != "" {
			labels[s.label] = part
		}
		if s.label == "" && part != s.literal || s.label != "" && part == "" {
			return nil, false
		}
		if last := i == len(r.segments)-1; last == more {
			return nil, false
		}
		rest = tail
	}
	return labels, true
}

// fill makes the path of a request.
func (r *route) fill(label func(name string) string) (string, error) {
	var b strings.Builder
	for _, s := range r.segments {
		b.WriteByte('/')
		text := s.literal
		if s.label != "" {
			text = url.PathEscape(label(s.label))
			if s.greedy {
				text = strings.ReplaceAll(text, "%2F", "/")
			}
			if text == "" {
				return "", fmt.Errorf("empty label %s", s.label)
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// routes finds operations by method and path.
type routes struct {
	byMethod map[string][]*route
	byOp     map[string]*route
}

func compileRoutes(ops []Op) (*routes, error) {
	rs := &routes{byMethod: map[string][]*route{}, byOp: map[string]*route{}}
	for i := range ops {
		r, err := parseRoute(&ops[i])
		if err != nil {
			return nil, err
		}
		rs.byOp[r.op.Name] = r
		rs.byMethod[r.op.Method] = append(rs.byMethod[r.op.Method], r)
	}
	for _, list := range rs.byMethod {
		slices.SortFunc(list, (*route).order)
	}
	return rs, nil
}

func (rs *routes) find(method, path string) (*Op, bool) {
	for _, r := range rs.byMethod[method] {
		if _, ok := r.match(path); ok {
			return r.op, true
		}
	}
	return nil, false
}
