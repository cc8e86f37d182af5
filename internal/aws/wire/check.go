package wire

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scalar is a value as constraints see it.
type scalar struct {
	text   string  // of a string
	number float64 // of a number; the length of all else
}

// checker collects the violations of one request.
type checker struct {
	code  string // the protocol's name of a validation error
	path  []step
	found []Violation
	count int
	// absent is the first required member that is not there, by its name on the wire.
	absent string
}

// step is a part of a path: a member, a map's key, or, with an empty name, a
// list's item.
type step struct {
	name string
	item int // from 1
}

// maxEcho bounds how much of a wrong value an error repeats, in bytes.
const maxEcho = 4096

func (c *checker) push(name string) { c.path = append(c.path, step{name: name}) }
func (c *checker) pushItem(i int)   { c.path = append(c.path, step{item: i + 1}) }
func (c *checker) pop()             { c.path = c.path[:len(c.path)-1] }

func (c *checker) err() error {
	if c.count == 0 {
		return nil
	}
	return &ValidationError{Violations: c.found, Count: c.count, code: c.code}
}

// here renders the path: tags.1.member.tagKey.
func (c *checker) here() string {
	var b strings.Builder
	for i, s := range c.path {
		if i > 0 {
			b.WriteByte('.')
		}
		if s.item > 0 {
			b.WriteString(strconv.Itoa(s.item) + ".member")
		} else {
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// forget drops what was found at the path and below: a member came again.
func (c *checker) forget() {
	here := c.here()
	kept := c.found[:0]
	for _, v := range c.found {
		if v.Path == here || strings.HasPrefix(v.Path, here+".") {
			c.count--
			continue
		}
		kept = append(kept, v)
	}
	c.found = kept
}

// null reports an absent or null value.
func (c *checker) null() { c.fail("Value null", "Member must not be null") }

func (c *checker) fail(value, rule string) {
	c.count++
	if len(c.found) == maxViolations {
		return
	}
	at := c.here()
	text := value + " at '" + at + "' failed to satisfy constraint: " + rule
	c.found = append(c.found, Violation{Path: at, Text: text})
}

// required reports the required members that a struct came without.
func (c *checker) required(p *structPlan, s *seen) {
	for _, i := range p.required {
		if !s.has(i) {
			c.absent = cmp.Or(c.absent, p.fields[i].name)
			c.push(p.fields[i].label)
			c.null()
			c.pop()
		}
	}
}

// field checks one member that is present; members of structs within it check
// themselves when they are read.
func (c *checker) field(f *fieldPlan, v reflect.Value) {
	c.value(&f.valuePlan, v, f.sensitive, false)
}

// value checks v, without a pointer, and the items of lists and maps; with
// deep also the structs within.
func (c *checker) value(p *valuePlan, v reflect.Value, secret, deep bool) {
	secret = secret || p.sensitive
	switch p.kind {
	case kindStruct:
		if deep {
			c.structure(value{v, p.structure})
		}
		return
	case kindString:
		if p.IgnoreCase {
			if e := p.canonical(v.String()); e != "" && v.CanSet() {
				v.SetString(e)
			}
		}
	}
	if !p.free {
		for _, rule := range p.fails(p.kind, measure(p.kind, v)) {
			c.fail(shown(p, v, secret), rule)
		}
	}
	switch p.kind {
	case kindList:
		c.list(p, v, secret, deep)
	case kindMap:
		c.mapping(p, v, secret, deep)
	}
}

func (c *checker) list(p *valuePlan, v reflect.Value, secret, deep bool) {
	if p.elem.leaf() {
		if p.elem.free {
			return
		}
		for i := range v.Len() {
			if len(p.elem.fails(p.elem.kind, measure(p.elem.kind, v.Index(i)))) > 0 {
				rule := "Member must satisfy constraint: " + p.elem.all(p.elem.kind)
				c.fail(shown(p, v, secret || p.elem.sensitive), rule)
				return
			}
		}
		return
	}
	for i := range v.Len() {
		c.pushItem(i)
		c.value(p.elem, v.Index(i), secret, deep)
		c.pop()
	}
}

func (c *checker) mapping(p *valuePlan, v reflect.Value, secret, deep bool) {
	if p.key.free && (p.elem.free && p.elem.leaf()) {
		return
	}
	badKey, badElem := false, false
	for _, k := range sortedKeys(v) {
		badKey = badKey || len(p.key.fails(kindString, measure(kindString, k))) > 0
		e := v.MapIndex(k)
		if p.elem.leaf() {
			badElem = badElem || len(p.elem.fails(p.elem.kind, measure(p.elem.kind, e))) > 0
			continue
		}
		if p.key.sensitive {
			c.push("*")
		} else {
			c.push(k.String())
		}
		c.value(p.elem, e, secret, deep)
		c.pop()
	}
	secret = secret || p.elem.sensitive || p.key.sensitive
	if badKey {
		c.fail(shown(p, v, secret), "Map keys must satisfy constraint: "+p.key.all(kindString))
	}
	if badElem {
		c.fail(shown(p, v, secret), "Map value must satisfy constraint: "+p.elem.all(p.elem.kind))
	}
}

// structure checks a struct that was made in this process.
func (c *checker) structure(s value) {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		v := s.Field(f.index)
		absent := v.Kind() == reflect.Pointer && v.IsNil() ||
			(f.kind == kindBlob || f.kind == kindList || f.kind == kindMap) && v.IsNil() ||
			f.kind == kindTime && !f.pointer && v.Interface().(time.Time).IsZero()
		c.push(f.label)
		switch {
		case absent && f.required:
			c.null()
		case absent, !f.required && !f.pointer && f.kind == kindString && v.Len() == 0:
		default:
			c.value(&f.valuePlan, reflect.Indirect(v), f.sensitive, true)
		}
		c.pop()
	}
}

// leaf says whether the value holds no other values.
func (p *valuePlan) leaf() bool { return p.kind < kindList }

func measure(k kind, v reflect.Value) scalar {
	switch k {
	case kindString:
		return scalar{text: v.String()}
	case kindInt:
		return scalar{number: float64(v.Int())}
	case kindFloat:
		return scalar{number: v.Float()}
	case kindBlob, kindList, kindMap:
		return scalar{number: float64(v.Len())}
	}
	return scalar{}
}

// shown is how a message repeats a value: as Java prints it, never a secret,
// never bytes.
func shown(p *valuePlan, v reflect.Value, secret bool) string {
	if secret || p.kind == kindBlob || p.kind == kindTime || p.holdsSecrets() {
		return "Value"
	}
	text, ok := printed(p, v)
	if !ok {
		return "Value"
	}
	if len(text) > maxEcho {
		text = strings.ToValidUTF8(text[:maxEcho], "") + "..."
	}
	return "Value '" + text + "'"
}

// holdsSecrets says whether the items of a list or map are not to be shown.
func (p *valuePlan) holdsSecrets() bool {
	return p.elem != nil && p.elem.sensitive || p.key != nil && p.key.sensitive
}

func printed(p *valuePlan, v reflect.Value) (string, bool) {
	switch p.kind {
	case kindString, kindBool, kindInt, kindFloat:
		return formatText(p, v), true
	case kindList:
		if p.elem.kind > kindFloat {
			return "", false
		}
		parts := make([]string, 0, min(v.Len(), maxEcho))
		for i := range min(v.Len(), maxEcho) {
			parts = append(parts, formatText(p.elem, v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case kindMap:
		if p.elem.kind > kindFloat {
			return "", false
		}
		var parts []string
		for _, k := range sortedKeys(v) {
			parts = append(parts, k.String()+"="+formatText(p.elem, v.MapIndex(k)))
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}
