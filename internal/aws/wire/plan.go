package wire

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// kind is how a value travels.
type kind uint8

const (
	kindString kind = iota
	kindBool
	kindInt
	kindFloat
	kindTime
	kindBlob
	kindList
	kindMap
	kindStruct
)

// maxFields bounds a struct: seen has a bit for each.
const maxFields = 256

// structPlan is what the tags of a generated struct say, read once.
type structPlan struct {
	fields   []fieldPlan // in the order of the struct
	byName   map[string]int
	required []int
	payload  int // field that is the whole REST body, or -1
}

// fieldPlan is one member of a structure.
type fieldPlan struct {
	valuePlan
	index    int // in the Go struct
	name     string
	form     string // name in the query protocol
	label    string // name as audit records and messages have it
	required bool
	where    location
}

// valuePlan is one type as one member uses it.
type valuePlan struct {
	*shapePlan
	kind      kind
	pointer   bool         // absent is nil
	typ       reflect.Type // without the pointer
	elem, key *valuePlan   // of lists and maps
	structure *structPlan
	sensitive bool
}

// location is where REST puts a member.
type location uint8

const (
	inBody location = iota
	inURI
	inQuery
	inHeader
	inHeaders // a map: every header with a prefix
	inStatus
	inPayload
)

// locations are the words of the tags.
var locations = map[string]location{
	"uri": inURI, "query": inQuery, "header": inHeader, "headers": inHeaders,
	"status": inStatus, "payload": inPayload,
}

func (c *Codec) compile() error {
	var err error
	if c.shapes, err = compileShapes(c.api.Shapes); err != nil {
		return err
	}
	c.types = map[reflect.Type]*structPlan{}
	for i := range c.api.Ops {
		op := &c.api.Ops[i]
		if i > 0 && c.api.Ops[i-1].Name >= op.Name {
			return fmt.Errorf("operation %s is out of order", op.Name)
		}
		for _, v := range []any{op.In(), op.Out()} {
			if _, err := c.plan(reflect.TypeOf(v).Elem()); err != nil {
				return err
			}
		}
	}
	for _, f := range c.api.Faults {
		if _, err := c.plan(reflect.TypeOf(f).Elem()); err != nil {
			return err
		}
	}
	if c.proto, err = c.protocol(); err == nil && c.api.QueryCompatible {
		old := *c
		old.proto = &queryProtocol{api: c.api}
		c.query = &old
	}
	return err
}

func (c *Codec) protocol() (protocol, error) {
	switch c.api.Protocol {
	case "json":
		return &jsonProtocol{api: c.api}, nil
	case "query":
		return &queryProtocol{api: c.api}, nil
	case "rest-json":
		return newREST(c)
	}
	return nil, fmt.Errorf("protocol %q is not implemented", c.api.Protocol)
}

// plan reads a struct type. It is stored before its fields are read, because
// shapes refer to themselves.
func (c *Codec) plan(t reflect.Type) (*structPlan, error) {
	if p, ok := c.types[t]; ok {
		return p, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is not a struct", t)
	}
	p := &structPlan{byName: map[string]int{}, payload: -1}
	c.types[t] = p
	if t.NumField() > maxFields {
		return nil, fmt.Errorf("%s has %d fields", t, t.NumField())
	}
	for i := range t.NumField() {
		f, err := c.field(t.Field(i))
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, t.Field(i).Name, err)
		}
		f.index = i
		if f.required {
			p.required = append(p.required, i)
		}
		if f.where == inPayload {
			p.payload = i
		}
		p.byName[f.name] = i
		p.fields = append(p.fields, *f)
	}
	return p, nil
}

func (c *Codec) field(sf reflect.StructField) (*fieldPlan, error) {
	opts := strings.Split(sf.Tag.Get("aws"), ",")
	if len(opts) < 2 || opts[0] == "" {
		return nil, errors.New("want an aws tag with a name and a shape")
	}
	v, err := c.valuePlan(sf.Type, opts[1])
	if err != nil {
		return nil, err
	}
	f := &fieldPlan{
		valuePlan: *v, name: opts[0], form: opts[0], label: lowerFirst(opts[0]),
	}
	for _, o := range opts[2:] {
		where, ok := locations[o]
		form, named := strings.CutPrefix(o, "form=")
		switch {
		case ok:
			f.where = where
		case named:
			f.form = form
		case o == "required":
			f.required = true
		case o == "sensitive":
			f.sensitive = true
		default:
			return nil, fmt.Errorf("unknown option %q", o)
		}
	}
	return f, nil
}

// valuePlan reads a Go type with the shape that the model gives it.
func (c *Codec) valuePlan(t reflect.Type, shape string) (*valuePlan, error) {
	s, ok := c.shapes[shape]
	if !ok {
		return nil, fmt.Errorf("no shape %q", shape)
	}
	v := &valuePlan{shapePlan: s, pointer: t.Kind() == reflect.Pointer, sensitive: s.Sensitive}
	if v.pointer {
		t = t.Elem()
	}
	v.typ = t
	var err error
	switch v.kind, ok = kindOf(t); {
	case !ok:
		return nil, fmt.Errorf("no wire form of %s", t)
	case v.kind == kindStruct:
		v.structure, err = c.plan(t)
	case v.kind == kindMap:
		if v.key, err = c.valuePlan(t.Key(), s.Key); err != nil {
			return nil, err
		}
		v.elem, err = c.valuePlan(t.Elem(), s.Elem)
	case v.kind == kindList:
		v.elem, err = c.valuePlan(t.Elem(), s.Elem)
	}
	return v, err
}

func kindOf(t reflect.Type) (kind, bool) {
	switch t.Kind() {
	case reflect.String:
		return kindString, true
	case reflect.Bool:
		return kindBool, true
	case reflect.Int32, reflect.Int64:
		return kindInt, true
	case reflect.Float32, reflect.Float64:
		return kindFloat, true
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return kindBlob, true
		}
		return kindList, true
	case reflect.Map:
		return kindMap, t.Key().Kind() == reflect.String
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return kindTime, true
		}
		return kindStruct, true
	}
	return 0, false
}

// slot gives the place to set: it makes what a pointer points to.
func (p *valuePlan) slot(v reflect.Value) reflect.Value {
	if !p.pointer {
		return v
	}
	n := reflect.New(p.typ)
	v.Set(n)
	return n.Elem()
}

// present says whether a member goes out, and gives what a pointer points to.
func (f *fieldPlan) present(s reflect.Value) (reflect.Value, bool) {
	v := s.Field(f.index)
	if f.pointer {
		return v.Elem(), !v.IsNil()
	}
	switch f.kind {
	case kindString:
		return v, f.required || v.Len() > 0
	case kindBlob, kindList, kindMap:
		return v, f.required || !v.IsNil()
	case kindTime:
		return v, !v.Interface().(time.Time).IsZero()
	}
	return v, true
}

// seen has a bit for each field of a struct that a request carries.
type seen [maxFields / 64]uint64

func (s *seen) set(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *seen) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// lowerFirst gives a member's name as CloudTrail and the error texts have it.
func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

// sortedKeys gives a map's keys in order: what goes out is deterministic.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
	return keys
}
