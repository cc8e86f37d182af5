package wire

import (
	"math"
	"math/big"
	"unicode/utf8"
)

// Plain gives the table as encoding/json shows it best, in the way RabbitMQ's
// management API does: numbers as numbers, a timestamp as its seconds, text that is
// not UTF-8 as what its octets are in ISO 8859-1. Of two fields of one name the
// first counts, as in Get. The result shares nothing with t.
func (t Table) Plain() map[string]any {
	m := make(map[string]any, len(t))
	for _, f := range t {
		name := plainText(f.Name)
		if _, ok := m[name]; !ok {
			m[name] = f.Value.Plain()
		}
	}
	return m
}

// Plain is one value of Table.Plain: nil, a bool, int64, uint64, float64, string,
// []any or map[string]any. What JSON has no number for is a string.
func (v Value) Plain() any {
	switch v.tag {
	case TypeBool:
		b, _ := v.Bool()
		return b
	case TypeString, TypeBytes:
		return plainText(v.raw)
	case TypeFloat32, TypeFloat64:
		f, _ := v.Float64()
		return plainFloat(f)
	case TypeDecimal:
		scale, unscaled, _ := v.Decimal()
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
		f, _ := new(big.Rat).SetFrac(big.NewInt(int64(unscaled)), ten).Float64()
		return f
	case TypeTimestamp:
		return number(v.raw)
	case tagTable:
		t, _ := v.Table()
		return t.Plain()
	case tagArray:
		items, _ := v.Array()
		list := make([]any, 0, len(items))
		for _, item := range items {
			list = append(list, item.Plain())
		}
		return list
	}
	if n, ok := v.Int64(); ok {
		return n
	}
	return nil
}

func plainFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}

func plainText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
