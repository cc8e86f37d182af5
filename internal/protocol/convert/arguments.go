package convert

import (
	"unicode/utf8"

	"coffer/internal/fault"
	old "coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/amqp10/wire"
)

// Table encodes the arguments in a map as AMQP 0-9-1 keeps them: a field table with its
// length, or nil for none. Errors: fault.Invalid for what has no form there.
func Table(arguments wire.Raw) (table []byte, err error) {
	var t old.Table
	arguments.Pairs(func(key, value wire.Raw) bool {
		name, isWord := key.Word()
		v, ok := valueOf(value, old.MaxTableDepth)
		if !isWord || !ok || len(name) > maxShort {
			err = fault.New(fault.Invalid, "unsupported argument %s", name)
			return false
		}
		t = append(t, old.Field{Name: string(name), Value: v})
		return true
	})
	if err != nil || len(t) == 0 {
		return nil, err
	}
	return old.AppendTable(nil, t)
}

// AppendArguments appends a map of encoded arguments, a field table with its length.
func AppendArguments(dst, table []byte) []byte {
	var t old.Table
	if len(table) > 4 {
		t, _ = old.ParseTable(table[4:]) // it was checked before it was kept
	}
	dst, at := wire.OpenMap(dst)
	count := 0
	for _, f := range t {
		if utf8.ValidString(f.Name) {
			dst = appendValue(wire.AppendString(dst, f.Name), f.Value)
			count++
		}
	}
	return wire.CloseMap(dst, at, count)
}

// QueueType is the type of a queue with encoded arguments.
func QueueType(table []byte) string {
	if len(table) > 4 {
		if v, ok := old.FindField(table[4:], "x-queue-type"); ok {
			if text, ok := v.Text(); ok {
				return string(text)
			}
		}
	}
	return "classic"
}
