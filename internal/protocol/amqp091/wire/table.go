package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

const (
	// MaxTableDepth is how deeply tables and arrays may be nested; an empty
	// table has depth 1. RabbitMQ has no such bound; no known client comes near.
	MaxTableDepth = 32

	tableHead = 4 // the length in front of an encoded table
)

// Table is a field table. It keeps the order and duplicates of the wire, and
// each value's exact type, so that encoding a decoded table gives its octets
// again.
type Table []Field

// Field is one entry of a table. The name has at most 255 octets.
type Field struct {
	Name  string
	Value Value
}

// Get gives the first value of that name, as RabbitMQ looks arguments up.
func (t Table) Get(name string) (Value, bool) {
	i := slices.IndexFunc(t, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Value{}, false
	}
	return t[i].Value, true
}

// ParseTable decodes a table from its fields, that is, without the length in
// front. The result is a copy: one of b and at most 20 octets more for each
// octet of b. Nested tables stay encoded until they are asked for. The error
// wraps ErrTable or ErrDepth.
func ParseTable(b []byte) (Table, error) {
	if err := ValidateTable(b); err != nil || len(b) == 0 {
		return nil, err
	}
	return splitTable(string(b)), nil
}

// splitTable splits validated fields. It counts them first: a slice that grows
// would break the bound that ParseTable promises.
func splitTable(s string) Table {
	n := 0
	for _, _, rest, ok := cutField(s); ok; _, _, rest, ok = cutField(rest) {
		n++
	}
	t := make(Table, 0, n)
	for name, c, rest, ok := cutField(s); ok; name, c, rest, ok = cutField(rest) {
		t = append(t, Field{name, Value{c.tag, c.data}})
	}
	return t
}

// splitArray splits validated values.
func splitArray(s string) []Value {
	n := 0
	for _, rest, ok := cutValue(s); ok; _, rest, ok = cutValue(rest) {
		n++
	}
	items := make([]Value, 0, n)
	for c, rest, ok := cutValue(s); ok; c, rest, ok = cutValue(rest) {
		items = append(items, Value{c.tag, c.data})
	}
	return items
}

// AppendTable appends t with its length. On an error, which wraps ErrShortstr,
// ErrLongstr, ErrTable or ErrDepth, dst is returned as it was.
func AppendTable(dst []byte, t Table) ([]byte, error) {
	out := append(dst, 0, 0, 0, 0)
	var err error
	for _, f := range t {
		if out, err = appendShortstr(out, f.Name); err != nil {
			return dst, fmt.Errorf("field name: %w", err)
		}
		if out, err = f.Value.append(out); err != nil {
			return dst, fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	n := len(out) - len(dst) - tableHead
	if uint64(n) > math.MaxUint32 {
		return dst, ErrLongstr
	}
	binary.BigEndian.PutUint32(out[len(dst):], uint32(n))
	return out, nil
}

// ValidateTable checks an encoded table, without the length in front, and
// allocates nothing. It accepts exactly what ParseTable accepts.
func ValidateTable(b []byte) error { return checkFields(b, 1) }

// checkFields checks the fields of a table at the given depth.
func checkFields(b []byte, depth int) error {
	for len(b) > 0 {
		_, c, rest, ok := cutField(b)
		if !ok {
			return ErrTable
		}
		if err := checkNested(c, depth); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// checkItems checks the values of an array at the given depth.
func checkItems(b []byte, depth int) error {
	for len(b) > 0 {
		c, rest, ok := cutValue(b)
		if !ok {
			return ErrTable
		}
		if err := checkNested(c, depth); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// checkNested looks into a value of a table or array at the given depth.
func checkNested(c cell[[]byte], depth int) error {
	switch {
	case c.tag != tagTable && c.tag != tagArray:
		return nil
	case depth >= MaxTableDepth:
		return ErrDepth
	case c.tag == tagTable:
		return checkFields(c.data, depth+1)
	}
	return checkItems(c.data, depth+1)
}
