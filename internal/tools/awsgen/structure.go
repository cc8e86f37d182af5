package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (g *generator) structures() {
	for _, n := range sorted(g.Operations) {
		if g.Operations[n].Input == nil {
			g.p("// %sInput is empty.\ntype %sInput struct{}\n\n", n, n)
		}
		if g.Operations[n].Output == nil {
			g.p("// %sOutput is empty.\ntype %sOutput struct{}\n\n", n, n)
		}
	}
	for _, n := range sorted(g.Shapes) {
		s := g.Shapes[n]
		if s.Type != "structure" || s.Exception || !g.used[n] {
			continue
		}
		g.p("// %s is the model's %s.\ntype %s struct {\n", g.names[n], n, g.names[n])
		g.members(n, s)
		g.p("}\n\n")
	}
}

func (g *generator) members(name string, s *shape) {
	for _, m := range sorted(s.Members) {
		required := slices.Contains(s.Required, m)
		typ := g.goType(s.Members[m], required, g.tops[name])
		g.p("%s %s %s\n", upperFirst(m), typ, "`aws:"+strconv.Quote(g.tag(s, m, required))+"`")
	}
}

// faults lists the exceptions that operations answer, by name.
func (g *generator) faults() []string {
	var out []string
	for _, n := range sorted(g.Shapes) {
		if g.Shapes[n].Exception && g.used[n] {
			out = append(out, n)
		}
	}
	return out
}

func (g *generator) exceptions() {
	for _, n := range g.faults() {
		s, typ := g.Shapes[n], g.names[n]
		code, status := s.Error.Code, s.Error.HTTPStatusCode
		if code == "" || g.both() {
			code = n
		}
		if status == 0 {
			status = 400
			if s.Fault {
				status = 500
			}
		}
		g.p("// %s is the fault %s, status %d.\ntype %s struct {\n", typ, code, status, typ)
		g.members(n, s)
		message, _ := messageMember(s)
		g.p("}\n\n// Error gives the code and the message.\n")
		g.p("func (e *%s) Error() string { return %q + e.%s }\n\n",
			typ, code+": ", upperFirst(message))
		g.p("// Fault gives the code and the HTTP status.\n")
		g.p("func (*%s) Fault() (code string, status int) { return %q, %d }\n\n", typ, code, status)
		g.p("// FaultMessage gives the text for the client.\n")
		g.p("func (e *%s) FaultMessage() string { return e.%s }\n\n", typ, upperFirst(message))
		if old := s.Error.Code; g.both() && old != "" {
			g.p("// QueryCode gives the code in the query protocol.\n")
			g.p("func (*%s) QueryCode() string { return %q }\n\n", typ, old)
		}
	}
}

// goType keeps absence visible for numbers and booleans, because AWS does; of
// strings only in an operation's input where empty may mean something else.
func (g *generator) goType(r ref, required, top bool) string {
	s := g.Shapes[r.Shape]
	optional := ""
	if !required {
		optional = "*"
	}
	switch s.Type {
	case "string", "character":
		if top && len(s.Enum) == 0 && (s.Min == nil || *s.Min < 1) {
			return optional + "string"
		}
		return "string"
	case "blob":
		return "[]byte"
	case "timestamp":
		return "time.Time"
	case "list":
		return "[]" + g.elemType(*s.Member)
	case "map":
		return "map[string]" + g.elemType(*s.Value)
	case "structure":
		return "*" + g.names[r.Shape]
	}
	return optional + map[string]string{
		"boolean": "bool", "integer": "int32", "long": "int64", "double": "float64",
		"float": "float32",
	}[s.Type]
}

func (g *generator) elemType(r ref) string {
	return strings.TrimPrefix(g.goType(r, true, false), "*")
}

func (g *generator) tag(parent *shape, member string, required bool) string {
	r := parent.Members[member]
	s := g.Shapes[r.Shape]
	name := member
	if r.LocationName != "" {
		name = r.LocationName
	}
	form := r.QueryName
	if s.Flattened && s.Type == "list" && s.Member.LocationName != "" && r.LocationName == "" {
		if g.both() {
			form = s.Member.LocationName
		} else {
			name = s.Member.LocationName
		}
	}
	out := []string{name, g.shapeName(r.Shape)}
	add := func(ok bool, word string) {
		if ok {
			out = append(out, word)
		}
	}
	add(required, "required")
	add(r.Sensitive, "sensitive")
	add(form != "" && form != name, "form="+form)
	words := map[string]string{
		"uri": "uri", "querystring": "query", "header": "header", "headers": "headers",
		"statusCode": "status",
	}
	add(r.Location != "", words[r.Location])
	add(parent.Payload == member, "payload")
	return strings.Join(out, ",")
}

// says tells whether a shape needs an entry in the table.
func (g *generator) says(name string) bool {
	s := g.Shapes[name]
	own := s.Min != nil || s.Max != nil || s.Pattern != "" || len(s.Enum) > 0 || s.Sensitive ||
		s.TimestampFormat != "" || s.Flattened
	for _, r := range []*ref{s.Member, s.Key, s.Value} {
		own = own || r != nil && (r.LocationName != "" || g.says(r.Shape))
	}
	return own
}

func (g *generator) shapeName(name string) string {
	if g.says(name) {
		return name
	}
	return ""
}

func (g *generator) shapes() error {
	var errs []error
	for _, n := range sorted(g.Shapes) {
		if !g.used[n] || !g.says(n) {
			continue
		}
		line, err := g.shape(n, g.Shapes[n])
		if err != nil {
			errs = append(errs, fmt.Errorf("shape %s: %w", n, err))
		}
		g.p("{%s},\n", line)
	}
	return errors.Join(errs...)
}

func (g *generator) shape(name string, s *shape) (string, error) {
	out := []string{fmt.Sprintf("Name: %q", name)}
	text := func(field, value string) {
		if value != "" {
			out = append(out, fmt.Sprintf("%s: %s", field, literal(value)))
		}
	}
	flag := func(field string, set bool) {
		if set {
			out = append(out, field+": true")
		}
	}
	text("Min", decimal(s.Min))
	text("Max", decimal(s.Max))
	text("Pattern", s.Pattern)
	if s.Pattern != "" {
		re, err := s.RE, error(nil)
		if re == "" {
			re, err = translate(s.Pattern)
		}
		if err != nil {
			return "", err
		}
		if re != s.Pattern {
			text("RE", re)
		}
	}
	if len(s.Enum) > 0 {
		out = append(out, fmt.Sprintf("Enum: %#v", s.Enum))
	}
	flag("IgnoreCase", s.IgnoreCase)
	flag("Sensitive", s.Sensitive)
	text("Time", s.TimestampFormat)
	switch s.Type {
	case "list":
		text("Elem", g.shapeName(s.Member.Shape))
		text("ElemName", s.Member.LocationName)
	case "map":
		text("Elem", g.shapeName(s.Value.Shape))
		text("ElemName", s.Value.LocationName)
		text("Key", g.shapeName(s.Key.Shape))
		text("KeyName", s.Key.LocationName)
	}
	flag("Flat", s.Flattened)
	return strings.Join(out, ", "), nil
}

// literal prefers a raw string: patterns are unreadable when quoted.
func literal(s string) string {
	if strconv.CanBackquote(s) && strings.Contains(s, `\`) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

func decimal(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}
