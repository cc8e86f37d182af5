package lint

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Finding is a part of a request that looks like something else.
type Finding struct {
	Parameter string     // its path: tags.1.value
	Looks     []Detector // what it looks like
	text      string
	hide      func(string) // puts another value in its place
}

// Hide replaces the value in the parameters that were looked at by what it looks like.
func (f *Finding) Hide() { f.hide(f.instead()) }

func (f *Finding) instead() string { return "HIDDEN: looks like " + f.Looks[0].String() }

// Scrub replaces the values of findings where an answer repeats them.
func Scrub(m map[string]any, found []Finding) {
	for k, v := range m {
		m[k] = scrubbed(v, found)
	}
}

func scrubbed(v any, found []Finding) any {
	switch v := v.(type) {
	case string:
		for _, f := range found {
			if v == f.text {
				return f.instead()
			}
		}
	case map[string]any:
		Scrub(v, found)
	case []any:
		for i := range v {
			v[i] = scrubbed(v[i], found)
		}
	}
	return v
}

// Secret reports whether a detector recognised a secret.
func (f *Finding) Secret() bool { return slices.ContainsFunc(f.Looks, Detector.Secret) }

// Request looks at what a request to an AWS API sets of names, tags and descriptions:
// parameters as the audit trail shows them, of an operation that changes something. What
// only names a thing that exists is not looked at, so that it can be changed and deleted.
func Request(operation string, parameters map[string]any) []Finding {
	w := walk{operation: operation, verb: verb(operation)}
	if w.verb == "" {
		return nil
	}
	w.members(parameters, "", false)
	slices.SortFunc(w.found, func(a, b Finding) int {
		return cmp.Compare(a.Parameter, b.Parameter)
	})
	return w.found
}

// verb gives the first word of an operation that sets something.
func verb(operation string) string {
	for _, v := range []string{"Create", "Update", "Put", "Tag", "Add", "Import", "Upload"} {
		if strings.HasPrefix(operation, v) {
			return v
		}
	}
	return ""
}

type walk struct {
	operation, verb string
	found           []Finding
}

// members looks at a structure or a map; all tells that everything below counts.
func (w *walk) members(m map[string]any, at string, all bool) {
	for name, v := range m {
		label := name
		if all && Text(name) != nil {
			label = "*" // the path is told to others
		}
		path := strings.TrimPrefix(at+"."+label, ".")
		sub := all || strings.HasPrefix(strings.ToLower(name), "tag") && name != "tagKeys"
		w.value(v, path, sub, sub || w.free(name) || w.names(name, at),
			func(x string) { m[name] = x })
		if all {
			w.check(name, at+".key", func(x string) { m[x] = m[name]; delete(m, name) })
		}
	}
}

// value looks at a value; sub tells that everything below counts, text that a text does.
func (w *walk) value(v any, path string, sub, text bool, set func(string)) {
	switch v := v.(type) {
	case string:
		if text {
			w.check(v, path, set)
		}
	case map[string]any:
		w.members(v, path, sub)
	case []any:
		for i, x := range v {
			w.value(x, path+"."+strconv.Itoa(i+1), sub, text, func(x string) { v[i] = x })
		}
	}
}

func (w *walk) check(text, path string, set func(string)) {
	looks := Text(text)
	if looks == nil {
		return
	}
	w.found = append(w.found, Finding{path, looks, text, set})
}

// free reports whether a member is a text for people.
func (w *walk) free(name string) bool {
	switch strings.ToLower(name) {
	case "description", "comment", "keydescription":
		return true
	}
	return false
}

// names reports whether a member gives a new thing its name.
func (w *walk) names(name, at string) bool {
	name = strings.ToLower(name)
	switch w.verb {
	case "Create":
		thing := strings.ToLower(strings.TrimPrefix(w.operation, "Create"))
		return name == "name" || name == thing+"name" || name == "path" ||
			strings.HasPrefix(at, "users") && name == "username"
	case "Update":
		return strings.HasPrefix(name, "new") && strings.HasSuffix(name, "name")
	case "Put":
		return name == "policyname"
	}
	return false
}
