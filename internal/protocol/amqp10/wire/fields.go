package wire

// fields reads the fields of a composite value. After the first error it gives zero
// values.
type fields struct {
	b    []byte
	left int
	name string
	err  error
}

// openFields begins with a list, which must be a value of its own.
func openFields(list Raw, name string) fields {
	r := fields{name: name}
	count, body, ok := list.list()
	if !ok {
		r.err = undecodable("%s is not a list", name)
		return r
	}
	r.b, r.left = body, count
	return r
}

// close ends the reading.
func (r *fields) close() error {
	if r.err == nil && r.left > 0 {
		r.err = undecodable("%s has %d fields too many", r.name, r.left)
	}
	return r.err
}

// has reports whether the next field is there and not null. It passes over a null.
func (r *fields) has() bool {
	if r.err != nil || r.left == 0 {
		return false
	}
	if len(r.b) > 0 && r.b[0] == codeNull {
		r.left, r.b = r.left-1, r.b[1:]
		return false
	}
	return true
}

// need fails when the next field is missing.
func (r *fields) need(name string) {
	if r.err == nil && !r.has() && r.err == nil {
		r.err = &Violation{AmqpErrorInvalidField, r.name + " without the field " + name}
	}
}

// any takes the next value.
func (r *fields) any() Raw {
	if r.err != nil {
		return nil
	}
	v, rest, err := Next(r.b)
	if err != nil {
		r.err = err
		return nil
	}
	r.b, r.left = rest, r.left-1
	return v
}

// wrong notes that a field has another type.
func (r *fields) wrong(want string) {
	if r.err == nil {
		r.err = undecodable("a field of %s is no %s", r.name, want)
	}
}

func (r *fields) bool() bool {
	v, ok := r.any().Bool()
	if !ok {
		r.wrong("boolean")
	}
	return v
}

func (r *fields) ubyte() uint8 {
	v := r.any()
	if len(v) != 2 || v[0] != codeUbyte {
		r.wrong("ubyte")
		return 0
	}
	return v[1]
}

func (r *fields) ushort() uint16 {
	v := r.any()
	if len(v) != 3 || v[0] != codeUshort {
		r.wrong("ushort")
		return 0
	}
	return uint16(v[1])<<8 | uint16(v[2])
}

func (r *fields) uint() uint32 {
	v, ok := r.any().Uint()
	if !ok {
		r.wrong("uint")
	}
	return v
}

func (r *fields) ulong() uint64 {
	v, ok := r.any().Ulong()
	if !ok {
		r.wrong("ulong")
	}
	return v
}

func (r *fields) timestamp() int64 {
	v, ok := r.any().Timestamp()
	if !ok {
		r.wrong("timestamp")
	}
	return v
}

func (r *fields) binary() []byte {
	v, ok := r.any().Binary()
	if !ok {
		r.wrong("binary")
	}
	return v
}

func (r *fields) string() []byte {
	v, ok := r.any().Text()
	if !ok {
		r.wrong("string")
	}
	return v
}

func (r *fields) symbol() []byte {
	v, ok := r.any().Symbol()
	if !ok {
		r.wrong("symbol")
	}
	return v
}

func (r *fields) mapping() Raw {
	v := r.any()
	if !v.IsMap() {
		r.wrong("map")
	}
	return v
}
