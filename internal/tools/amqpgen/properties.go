package main

// properties emits the property list of the only class that has one.
func (s *Spec) properties(e *emitter) {
	var props []Arg
	for _, c := range s.Classes {
		if c.Name == "basic" {
			props = c.Properties
		}
	}
	e.p("// Flag bits of the basic properties, the first property in the highest bit.\nconst (")
	for i, a := range props {
		e.p("Flag%s uint16 = 1 << %d", goName(a.Name), 15-i)
	}
	e.p(")\n\nconst knownFlags uint16 = 0x%04X\n", 0xFFFF<<(16-len(props))&0xFFFF)
	e.p(`// Properties are the basic class's. Flags says which are present: an absent one
// and an empty one differ on the wire, and a field whose flag is not set is
// neither written nor meaningful. After Parse the slices alias the input.`)
	e.p("type Properties struct {\nFlags uint16")
	for _, a := range props {
		t, _, _ := goType(a, true)
		comment := ""
		if a.Type == "table" {
			t, comment = "[]byte", " // an encoded table without its length"
		}
		if a.Type == "timestamp" {
			comment = " // seconds since 1970"
		}
		e.p("%s %s%s", goName(a.Name), t, comment)
	}
	e.p("}\n\nfunc (p *Properties) decode(r *reader) {")
	for _, a := range props {
		_, read, _ := goType(a, true)
		if a.Type == "table" {
			read = "tableBytes"
		}
		e.p("if p.Flags&Flag%s != 0 {\np.%s = r.%s()\n}", goName(a.Name), goName(a.Name), read)
	}
	e.p("}\n\nfunc (p *Properties) append(dst []byte) ([]byte, error) {\nvar err error")
	for _, a := range props {
		_, _, write := goType(a, true)
		if a.Type == "table" {
			write = "appendLongstr"
		}
		e.p("if p.Flags&Flag%s != 0 {", goName(a.Name))
		if fallible(a.Type) {
			e.p("if dst, err = %s(dst, p.%s); err != nil {", write, goName(a.Name))
			e.p("return nil, argument(err, %q)\n}\n}", a.Name)
			continue
		}
		e.p("dst = %s(dst, p.%s)\n}", write, goName(a.Name))
	}
	e.p("return dst, nil\n}")
}
