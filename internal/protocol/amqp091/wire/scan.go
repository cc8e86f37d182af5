package wire

// TableScanner steps through an encoded table, without the length in front, in
// place and without allocation: for matching headers on the way of a message.
// It wants what ValidateTable or Properties.Parse accepted; in other input it
// stops at the first field it cannot read.
type TableScanner struct{ rest []byte }

// ScanTable begins at the first field of b, which it aliases.
func ScanTable(b []byte) TableScanner { return TableScanner{b} }

// Next gives the next field, or ok false after the last.
func (s *TableScanner) Next() (name []byte, v RawValue, ok bool) {
	name, c, rest, ok := cutField(s.rest)
	if !ok {
		s.rest = nil
		return nil, RawValue{}, false
	}
	s.rest = rest
	return name, RawValue{c}, true
}

// FindField gives the first field of that name in an encoded table.
func FindField(table []byte, name string) (RawValue, bool) {
	s := ScanTable(table)
	for {
		n, v, ok := s.Next()
		if !ok || string(n) == name {
			return v, ok
		}
	}
}

// RawValue is a value in place: it aliases the table it was found in.
type RawValue struct{ c cell[[]byte] }

// Type gives one of the Type constants.
func (v RawValue) Type() byte { return Value{tag: v.c.tag}.Type() }

// Equal says whether v has the type and the octets of w.
func (v RawValue) Equal(w Value) bool {
	return v.c.tag == w.tag && string(v.c.data) == w.raw
}

// Int64 gives any of the integer types.
func (v RawValue) Int64() (int64, bool) { return integer(v.c.tag, v.c.data) }

// Text gives an 'S' in place.
func (v RawValue) Text() ([]byte, bool) { return v.c.data, v.c.tag == TypeString }

// Copy gives the value with memory of its own.
func (v RawValue) Copy() Value { return Value{v.c.tag, string(v.c.data)} }
