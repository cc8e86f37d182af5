package amqp091

import (
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// RabbitMQ's texts show values as Erlang prints them, and clients' tests compare
// them.

// typeName is the name of a value's type in those texts.
func typeName(v wire.Value) string {
	switch v.Type() {
	case wire.TypeBool:
		return "bool"
	case wire.TypeInt8:
		return "byte"
	case wire.TypeUint8:
		return "unsignedbyte"
	case wire.TypeInt16:
		return "short"
	case wire.TypeUint16:
		return "unsignedshort"
	case wire.TypeInt32:
		return "signedint"
	case wire.TypeUint32:
		return "unsignedint"
	case wire.TypeInt64, wire.TypeInt64Alt:
		return "long"
	case wire.TypeFloat32:
		return "float"
	case wire.TypeFloat64:
		return "double"
	case wire.TypeDecimal:
		return "decimal"
	case wire.TypeTimestamp:
		return "timestamp"
	case wire.TypeString:
		return "longstr"
	case wire.TypeBytes:
		return "binary"
	case wire.TypeTable:
		return "table"
	case wire.TypeArray:
		return "array"
	}
	return "void"
}

// term shows a text as a string literal.
func term(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// valueText shows a value without its type: a text as it is, all else as a term.
func valueText(v wire.Value) string {
	if s, ok := octets(v); ok {
		return s
	}
	return valueTerm(v)
}

// valueTerm shows a value as the term that RabbitMQ has of it.
func valueTerm(v wire.Value) string {
	if n, ok := v.Int64(); ok {
		return strconv.FormatInt(n, 10)
	}
	if b, ok := v.Bool(); ok {
		return strconv.FormatBool(b)
	}
	if s, ok := octets(v); ok {
		return binaryTerm(s)
	}
	if f, ok := v.Float64(); ok {
		s := strconv.FormatFloat(f, 'g', -1, 64)
		if !strings.ContainsAny(s, ".en") {
			s += ".0"
		}
		return s
	}
	if scale, n, ok := v.Decimal(); ok {
		return fmt.Sprintf("{%d,%d}", scale, n)
	}
	if t, ok := v.Time(); ok {
		return strconv.FormatInt(t.Unix(), 10)
	}
	var list []string
	if t, ok := v.Table(); ok {
		for _, f := range t {
			list = append(list, fmt.Sprintf("{%s,%s,%s}",
				binaryTerm(f.Name), typeName(f.Value), valueTerm(f.Value)))
		}
	} else if a, ok := v.Array(); ok {
		for _, item := range a {
			list = append(list, fmt.Sprintf("{%s,%s}", typeName(item), valueTerm(item)))
		}
	} else {
		return "undefined"
	}
	return "[" + strings.Join(list, ",") + "]"
}

// typedText shows a value that may be missing, with its type.
func typedText(v wire.Value, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("the value '%s' of type '%s'", valueText(v), typeName(v))
}

// alike reports whether two values are one as RabbitMQ compares arguments: by
// value, whatever the width of a number and the kind of a text.
func alike(a, b wire.Value) bool {
	if a == b {
		return true
	}
	m, isInt := a.Int64()
	if n, ok := b.Int64(); ok || isInt {
		return ok && isInt && m == n
	}
	x, isFloat := a.Float64()
	if y, ok := b.Float64(); ok || isFloat {
		return ok && isFloat && x == y
	}
	s, isText := octets(a)
	t, ok := octets(b)
	return ok && isText && s == t
}

// octets gives a text of either kind.
func octets(v wire.Value) (string, bool) {
	if s, ok := v.Text(); ok {
		return s, true
	}
	b, ok := v.Bytes()
	return string(b), ok
}
