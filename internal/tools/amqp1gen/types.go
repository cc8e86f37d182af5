package main

import "fmt"

// kind is how a primitive type stands in Go: the type of a field, and the part of
// the names of the functions that carry it.
type kind struct{ goType, name string }

// kind finds that of a type, through restricted ones.
func (s *Spec) kind(name string) (kind, error) {
	switch name {
	case "boolean":
		return kind{"bool", "bool"}, nil
	case "ubyte":
		return kind{"uint8", "ubyte"}, nil
	case "ushort":
		return kind{"uint16", "ushort"}, nil
	case "uint":
		return kind{"uint32", "uint"}, nil
	case "ulong":
		return kind{"uint64", "ulong"}, nil
	case "timestamp":
		return kind{"int64", "timestamp"}, nil
	case "string", "symbol", "binary":
		return kind{"[]byte", name}, nil
	case "map":
		return kind{"Raw", "mapping"}, nil
	case "*":
		return kind{"Raw", "any"}, nil
	}
	for _, t := range s.Types {
		if t.Name == name && t.composite() {
			return kind{"Raw", "any"}, nil
		}
		if t.Name == name {
			return s.kind(t.Source)
		}
	}
	return kind{}, fmt.Errorf("unknown type %q", name)
}

// fieldKind is kind for a field.
func (s *Spec) fieldKind(f *Field) (kind, error) {
	if f.Multiple {
		return kind{"Raw", "any"}, nil
	}
	return s.kind(f.Type)
}

// optional says whether a field may be missing in a way that its Go type cannot show.
// A missing boolean counts as false.
func (f *Field) optional(k kind) bool {
	return !f.Mandatory && f.Default == "" &&
		k.goType != "bool" && k.goType != "[]byte" && k.goType != "Raw"
}

// value gives the Go text of a default.
func (s *Spec) value(f *Field) string {
	for _, t := range s.Types {
		for _, c := range t.Choices {
			if t.Name == f.Type && c.Name == f.Default {
				return goName(t.Name) + goName(c.Name)
			}
		}
	}
	return f.Default
}

func (s *Spec) types(e *emitter) error {
	for i := range s.Types {
		t := &s.Types[i]
		if !t.composite() {
			continue
		}
		kinds := make([]kind, len(t.Fields))
		for j := range t.Fields {
			var err error
			if kinds[j], err = s.fieldKind(&t.Fields[j]); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		s.declare(e, t, kinds)
		s.parser(e, t, kinds)
		s.appender(e, t, kinds)
	}
	return nil
}

func (s *Spec) declare(e *emitter, t *Type, kinds []kind) {
	e.p("// %s is the type %s (descriptor 0x%02x). Slices alias what was parsed; nil is null.",
		goName(t.Name), t.Name, t.Code)
	e.p("type %s struct {", goName(t.Name))
	for i := range t.Fields {
		f := &t.Fields[i]
		typ := kinds[i].goType
		if f.optional(kinds[i]) {
			typ = "Opt[" + typ + "]"
		}
		note := ""
		switch {
		case f.Default != "":
			note = " // default " + f.Default
		case f.Multiple:
			note = " // a symbol or an array of them"
		}
		e.p("%s %s%s", goName(f.Name), typ, note)
	}
	e.p("}\n")
}

func (s *Spec) parser(e *emitter, t *Type, kinds []kind) {
	n := goName(t.Name)
	e.p("// Parse reads the fields. Errors are of type *Violation.")
	e.p("func (v *%s) Parse(list Raw) error {\nr := openFields(list, %q)", n, t.Name)
	for i := range t.Fields {
		f := &t.Fields[i]
		k := kinds[i]
		name := goName(f.Name)
		switch {
		case f.Mandatory:
			e.p("r.need(%q)\nv.%s = r.%s()", f.Name, name, k.name)
		case f.optional(k):
			e.p("if v.%s.Set = r.has(); v.%s.Set {", name, name)
			e.p("v.%s.Value = r.%s()\n}", name, k.name)
		case k.goType == "[]byte" || k.goType == "Raw":
			e.p("v.%s = nil\nif r.has() {\nv.%s = r.%s()\n}", name, name, k.name)
		default:
			value := s.value(f)
			if value == "" {
				value = "false"
			}
			e.p("v.%s = %s\nif r.has() {\nv.%s = r.%s()\n}", name, value, name, k.name)
		}
	}
	e.p("return r.close()\n}\n")
}

func (s *Spec) appender(e *emitter, t *Type, kinds []kind) {
	n := goName(t.Name)
	e.p("// Append appends the described value.")
	e.p("func (v *%s) Append(dst []byte) []byte {", n)
	e.p("w := openList(dst, Code%s)", n)
	for i := range t.Fields {
		f := &t.Fields[i]
		k := kinds[i]
		field := "v." + goName(f.Name)
		switch {
		case f.optional(k):
			e.p("if %s.Set {\nw.%s(%s.Value)\n} else {\nw.null()\n}", field, k.name, field)
		case f.Mandatory || k.goType == "[]byte" || k.goType == "Raw":
			e.p("w.%s(%s)", k.name, field)
		case k.goType == "bool" && (f.Default == "" || f.Default == "false"):
			e.p("w.yes(%s)", field)
		default:
			e.p("if %s != %s {\nw.%s(%s)\n} else {\nw.null()\n}",
				field, s.value(f), k.name, field)
		}
	}
	e.p("return w.close()\n}\n")
}
