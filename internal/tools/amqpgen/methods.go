package main

import (
	"fmt"
	"strings"
)

func (s *Spec) methods(e *emitter) {
	for _, c := range s.Classes {
		for _, m := range c.Methods {
			name := goName(c.Name) + goName(m.Name)
			m.structure(e, c, name)
			e.p("// ID gives ID%s.\nfunc (*%s) ID() MethodID { return ID%s }\n", name, name, name)
			m.decoder(e, c, name)
			m.encoder(e, c, name)
		}
	}
}

func (m Method) structure(e *emitter, c Class, name string) {
	e.p("// %s is %s.%s (%d, %d), sent to the %s.%s", name, c.Name, m.Name, c.ID, m.ID,
		strings.Join(m.To, " or the "), m.remark(c))
	e.p("type %s struct {", name)
	for _, a := range m.Args {
		if a.Reserved {
			continue
		}
		t, _, _ := goType(a, hot(c.Name, m.Name))
		e.p("%s %s", goName(a.Name), t)
	}
	e.p("}\n")
}

func (m Method) remark(c Class) string {
	var out string
	if m.Content {
		out += " Content follows it."
	}
	for _, a := range m.Args {
		if a.Type == "shortstr" && hot(c.Name, m.Name) {
			return out + "\n// Decoded strings alias the frame."
		}
	}
	return out
}

func (m Method) decoder(e *emitter, c Class, name string) {
	if len(m.Args) == 0 {
		e.p("func (*%s) decode(*reader) {}\n", name)
		return
	}
	recv := "m "
	if m.empty() {
		recv = ""
	}
	e.p("func (%s*%s) decode(r *reader) {", recv, name)
	bits := 0
	for i, a := range m.Args {
		_, read, _ := goType(a, hot(c.Name, m.Name))
		switch {
		case a.Type == "bit":
			m.readBit(e, i, &bits)
		case a.Reserved:
			bits = 0
			e.p("r.%s() // %s", skip(read), a.Name)
		default:
			bits = 0
			e.p("m.%s = r.%s()", goName(a.Name), read)
		}
	}
	e.p("}\n")
}

// skip names the reader method for a value nobody keeps.
func skip(read string) string {
	if read == "shortstr" || read == "longstr" {
		return strings.TrimSuffix(read, "str") + "Bytes"
	}
	return read
}

// readBit takes one bit of a run; a run shares an octet, eight at most.
func (m Method) readBit(e *emitter, i int, bits *int) {
	if *bits == 8 {
		*bits = 0
	}
	if *bits == 0 {
		if m.runUsed(i) {
			op := ":="
			if m.bitsBefore(i) {
				op = "="
			}
			e.p("bits %s r.octet()", op)
		} else {
			e.p("r.octet()")
		}
	}
	if !m.Args[i].Reserved {
		e.p("m.%s = bits&(1<<%d) != 0", goName(m.Args[i].Name), *bits)
	}
	*bits++
}

// runUsed says whether the run of bits that starts at i has one to keep.
func (m Method) runUsed(i int) bool {
	for ; i < len(m.Args) && m.Args[i].Type == "bit"; i++ {
		if !m.Args[i].Reserved {
			return true
		}
	}
	return false
}

func (m Method) bitsBefore(i int) bool {
	for _, a := range m.Args[:i] {
		if a.Type == "bit" {
			return true
		}
	}
	return false
}

// empty says that no argument carries meaning.
func (m Method) empty() bool {
	for _, a := range m.Args {
		if !a.Reserved {
			return false
		}
	}
	return true
}

func (m Method) fallible() bool {
	for _, a := range m.Args {
		if !a.Reserved && fallible(a.Type) {
			return true
		}
	}
	return false
}

func (m Method) encoder(e *emitter, c Class, name string) {
	recv := "m "
	if m.empty() {
		recv = ""
	}
	e.p("func (%s*%s) append(dst []byte) ([]byte, error) {", recv, name)
	if m.fallible() {
		e.p("var err error")
	}
	for i := 0; i < len(m.Args); i++ {
		a := m.Args[i]
		_, _, write := goType(a, hot(c.Name, m.Name))
		switch {
		case a.Type == "bit":
			i = m.writeBits(e, i)
		case a.Reserved:
			e.p("dst = append(dst, %s) // %s", zeros(a.Type), a.Name)
		case fallible(a.Type):
			e.p("if dst, err = %s(dst, m.%s); err != nil {", write, goName(a.Name))
			e.p("return nil, argument(err, %q)\n}", a.Name)
		default:
			e.p("dst = %s(dst, m.%s)", write, goName(a.Name))
		}
	}
	e.p("return dst, nil\n}\n")
}

// writeBits packs the run that starts at i and gives its last index.
func (m Method) writeBits(e *emitter, i int) int {
	var terms []string
	for n := 0; n < 8 && i < len(m.Args) && m.Args[i].Type == "bit"; n++ {
		if !m.Args[i].Reserved {
			terms = append(terms, fmt.Sprintf("bit(m.%s, %d)", goName(m.Args[i].Name), n))
		}
		i++
	}
	if terms == nil {
		terms = []string{"0"}
	}
	e.p("dst = append(dst, %s)", strings.Join(terms, "|"))
	return i - 1
}

func zeros(t string) string {
	n := map[string]int{"octet": 1, "shortstr": 1, "short": 2, "long": 4, "longstr": 4,
		"table": 4, "longlong": 8, "timestamp": 8}[t]
	return strings.TrimSuffix(strings.Repeat("0, ", n), ", ")
}
