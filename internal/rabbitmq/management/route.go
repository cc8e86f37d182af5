package management

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one path of the API with what it may be asked for. Segments in braces
// are variables.
type route struct {
	path    string
	methods methods
}

// methods are the handlers of a path by HTTP method. GET serves HEAD too.
type methods map[string]handler

// handler answers a request of a user whom level lets in.
type handler struct {
	level level
	do    func(*call) error
}

// node is one segment of the tree of routes.
type node struct {
	fixed    map[string]*node
	variable *node
	name     string // of the variable that leads here
	methods  methods
	path     string // of the route
}

// plant makes the tree; two routes of one path are joined.
func plant(list []route) *node {
	root := &node{}
	for _, r := range list {
		at := root
		for segment := range strings.SplitSeq(strings.Trim(r.path, "/"), "/") {
			at = at.child(segment)
		}
		if at.methods == nil {
			at.methods, at.path = methods{}, r.path
		}
		for m, h := range r.methods {
			at.methods[m] = h
		}
	}
	return root
}

func (n *node) child(segment string) *node {
	if name, ok := strings.CutPrefix(segment, "{"); ok {
		if n.variable == nil {
			n.variable = &node{name: strings.TrimSuffix(name, "}")}
		}
		return n.variable
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	if n.fixed[segment] == nil {
		n.fixed[segment] = &node{}
	}
	return n.fixed[segment]
}

// maxSegments bounds what is looked at of a path.
const maxSegments = 16

// find gives the route of an escaped path and its variables. A slash at the end does
// not matter.
func (n *node) find(path string) (*node, map[string]string, bool) {
	list := strings.Split(strings.Trim(path, "/"), "/")
	if len(list) > maxSegments {
		return nil, nil, false
	}
	for i, s := range list {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, nil, false
		}
		list[i] = plain
	}
	vars := map[string]string{}
	at := n.match(list, vars)
	return at, vars, at != nil
}

// match follows the segments; a fixed one goes before a variable.
func (n *node) match(list []string, vars map[string]string) *node {
	if len(list) == 0 {
		if n.methods == nil {
			return nil
		}
		return n
	}
	if next := n.fixed[list[0]]; next != nil {
		if at := next.match(list[1:], vars); at != nil {
			return at
		}
	}
	if n.variable == nil {
		return nil
	}
	at := n.variable.match(list[1:], vars)
	if at != nil {
		vars[n.variable.name] = list[0]
	}
	return at
}

// allowed lists the methods of a path, for the header Allow.
func (m methods) allowed() string {
	list := []string{http.MethodOptions}
	for name := range m {
		list = append(list, name)
		if name == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
