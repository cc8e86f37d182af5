package amqp091

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/convert"
)

// argMatch says how the arguments of a binding to a headers exchange are compared
// with the headers of a message.
const argMatch = "x-match"

// criteria are the arguments of a binding to a headers exchange. They are read once
// and stay with the binding.
type criteria struct {
	any    bool // one that is met is enough
	fields []wire.Field
}

// checkCriteria refuses another x-match than RabbitMQ has.
func checkCriteria(t wire.Table) error {
	v, ok := t.Get(argMatch)
	if !ok {
		return nil
	}
	switch text, ok := v.Text(); {
	case !ok:
		return refuse(wire.PreconditionFailed,
			"Invalid x-match field type %s (value %s); expected longstr", typeName(v), valueTerm(v))
	case !slices.Contains([]string{"all", "any", "all-with-x", "any-with-x"}, text):
		return refuse(wire.PreconditionFailed, "Invalid x-match field value %s; "+
			"expected all, any, all-with-x, or any-with-x", binaryTerm(text))
	}
	return nil
}

// readCriteria reads encoded arguments that were checked.
func readCriteria(encoded []byte) *criteria {
	mode := findArgument(encoded, argMatch)
	text, _ := mode.Text()
	how, withX := strings.CutSuffix(text, "-with-x")
	k := &criteria{any: how == "any"}
	for s := wire.ScanTable(fields(encoded)); ; {
		name, v, ok := s.Next()
		switch {
		case !ok:
			return k
		case string(name) == argMatch, !withX && bytes.HasPrefix(name, []byte("x-")):
		default:
			k.fields = append(k.fields, wire.Field{Name: string(name), Value: v.Copy()})
		}
	}
}

// met reports whether a message with these headers is meant.
func (k *criteria) met(h *headerSet) bool {
	for i := range k.fields {
		f := &k.fields[i]
		v, ok := h.get(f.Name)
		if ok = ok && agrees(f.Value, v); ok == k.any {
			return ok
		}
	}
	return !k.any
}

// agrees compares a header with what a binding wants: nothing in particular, or the
// same value, whatever the width of a number and the kind of a text.
func agrees(want wire.Value, v wire.RawValue) bool {
	switch {
	case want.IsVoid(), v.Equal(want):
		return true
	case v.Type() == want.Type():
		return false
	}
	if n, ok := want.Int64(); ok {
		m, ok := v.Int64()
		return ok && m == n
	}
	return alike(want, v.Copy())
}

// headerSet is the headers of one message by name. Its memory is used again.
type headerSet struct {
	read bool // those of the message in hand
	list []headerField
}

type headerField struct {
	name  []byte
	value wire.RawValue
}

// fill takes the fields of a table. Of those with one name the last counts.
func (h *headerSet) fill(table []byte) {
	h.read, h.list = true, h.list[:0]
	for s := wire.ScanTable(table); ; {
		name, v, ok := s.Next()
		if !ok {
			break
		}
		h.list = append(h.list, headerField{name, v})
	}
	slices.SortStableFunc(h.list, func(a, b headerField) int {
		return bytes.Compare(a.name, b.name)
	})
}

// keepHeaders bounds the memory that stays with a connection, in headers.
const keepHeaders = 256

// forget makes ready for the next message.
func (h *headerSet) forget() {
	if h.read {
		clear(h.list)
		if h.read = false; cap(h.list) > keepHeaders {
			h.list = nil
		}
	}
}

func (h *headerSet) get(name string) (v wire.RawValue, ok bool) {
	low, high := 0, len(h.list) // the last that is not above it
	for low < high {
		if mid := (low + high) / 2; string(h.list[mid].name) <= name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 || string(h.list[low-1].name) != name {
		return v, false
	}
	return h.list[low-1].value, true
}

// leading is the message in hand, as far as it leads itself.
type leading struct {
	props   wire.Properties
	headers headerSet
}

// guide gives what leads the message. It follows it when that changes.
func (c *leading) guide() broker.Guide {
	return broker.Guide{Match: c.wanted, Hash: c.hashed}
}

// Lead is [broker.Config]'s Lead for messages of both protocols of AMQP: dead letters
// are led by their headers, with those that tell of their deaths. Without a history it
// leads a message that is published.
func Lead(content broker.Content, h *broker.History) broker.Guide {
	var l leading
	content, err := convert.To091(content)
	if err != nil {
		return broker.Guide{}
	}
	header := content.Header
	if h != nil {
		header = annotated(&broker.Delivery{History: h}, header, math.MaxUint32)
	}
	if l.props.Parse(header) != nil {
		return broker.Guide{}
	}
	return l.guide()
}

// wanted is [broker.Guide]'s Match. Arguments of bindings to other exchanges than
// those of headers mean nothing here.
func (c *leading) wanted(b broker.Binding) bool {
	if b.Kind != broker.Matched {
		return true
	}
	var k *criteria
	if p := b.Memo.Load(); p != nil {
		k, _ = (*p).(*criteria)
	}
	if k == nil {
		k = readCriteria(b.Arguments)
		var kept any = k
		b.Memo.Store(&kept)
	}
	if !c.headers.read {
		c.headers.fill(c.headerTable())
	}
	return k.met(&c.headers)
}

// headerTable is the encoded header table of the message in hand.
func (c *leading) headerTable() []byte {
	if !c.props.Has(wire.FlagHeaders) {
		return nil
	}
	return c.props.Headers
}
