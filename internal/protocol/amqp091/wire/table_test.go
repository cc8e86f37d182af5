package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// One field of each type, in RabbitMQ's encoding.
func TestValueOctets(t *testing.T) {
	for _, tc := range []struct {
		v    Value
		want string
	}{
		{BoolValue(true), "t01"}, {BoolValue(false), "t00"},
		{Int8Value(-2), "bfe"}, {Uint8Value(254), "Bfe"},
		{Int16Value(-2), "sfffe"}, {Uint16Value(65534), "ufffe"},
		{Int32Value(-2), "Ifffffffe"}, {Uint32Value(4294967294), "ifffffffe"},
		{Int64Value(-2), "lfffffffffffffffe"},
		{Float32Value(1.5), "f3fc00000"}, {Float64Value(-1.5), "dbff8000000000000"},
		{DecimalValue(2, 314), "D020000013a"},
		{TimestampValue(1700000000), "T000000006553f100"},
		{StringValue("hi"), "S000000026869"}, {BytesValue([]byte{0}), "x0000000100"},
		{TableValue(Table{{"k", Value{}}}), "F00000003016b56"},
		{ArrayValue(Value{}, BoolValue(true)), "A00000003567401"},
		{Value{}, "V"},
	} {
		payload, err := hex.DecodeString(tc.want[1:])
		if err != nil {
			t.Fatal(err)
		}
		want := append([]byte{1, 'n', tc.want[0]}, payload...)
		got, err := AppendTable(nil, Table{{"n", tc.v}})
		if err != nil || !bytes.Equal(got[tableHead:], want) || got[3] != byte(len(want)) {
			t.Errorf("%c: got %x, %v, want %x", tc.want[0], got, err, want)
		}
		back, err := ParseTable(want)
		if err != nil || !reflect.DeepEqual(back, Table{{"n", tc.v}}) {
			t.Errorf("%c: decoded %v, %v", tc.want[0], back, err)
		}
		if tc.v.Type() != tc.want[0] {
			t.Errorf("%c: type is %c", tc.want[0], tc.v.Type())
		}
	}
}

func TestValueAccess(t *testing.T) {
	for v, want := range map[Value]int64{
		Int8Value(-2): -2, Uint8Value(254): 254, Int16Value(-2): -2, Uint16Value(65534): 65534,
		Int32Value(math.MinInt32): math.MinInt32, Uint32Value(math.MaxUint32): math.MaxUint32,
		Int64Value(math.MinInt64): math.MinInt64,

		{TypeInt64Alt, "\xff\xff\xff\xff\xff\xff\xff\xfe"}: -2,
	} {
		if got, ok := v.Int64(); !ok || got != want {
			t.Errorf("%c: got %d, %v, want %d", v.Type(), got, ok, want)
		}
	}
	if f, ok := Float32Value(1.5).Float64(); !ok || f != 1.5 {
		t.Error("float32", f, ok)
	}
	if f, ok := Float64Value(-0.1).Float64(); !ok || f != -0.1 {
		t.Error("float64", f, ok)
	}
	if s, u, ok := DecimalValue(3, 12345).Decimal(); !ok || s != 3 || u != 12345 {
		t.Error("decimal", s, u, ok)
	}
	if at, ok := TimestampValue(60).Time(); !ok || !at.Equal(time.Unix(60, 0)) {
		t.Error("time", at, ok)
	}
	if b, ok := (Value{TypeBool, "\x02"}).Bool(); !ok || !b {
		t.Error("bool", b, ok)
	}
	if s, ok := StringValue("s").Text(); !ok || s != "s" {
		t.Error("text", s, ok)
	}
	if b, ok := BytesValue([]byte("b")).Bytes(); !ok || string(b) != "b" {
		t.Error("bytes", b, ok)
	}
	if a, ok := ArrayValue(Value{}, Int8Value(1)).Array(); !ok || len(a) != 2 || !a[0].IsVoid() {
		t.Error("array", a, ok)
	}
	inner, ok := TableValue(Table{{"a", Value{}}, {"b", Int8Value(1)}, {"b", Value{}}}).Table()
	if v, found := inner.Get("b"); !ok || !found || v != Int8Value(1) || len(inner) != 3 {
		t.Error("table", inner, ok)
	}
	if _, found := inner.Get("c"); found {
		t.Error("found a field that is not there")
	}
}

// No accessor answers for another type.
func TestValueAccessOfOtherType(t *testing.T) {
	v := Value{}
	oks := [...]func() bool{
		func() bool { _, ok := v.Bool(); return ok },
		func() bool { _, ok := v.Int64(); return ok },
		func() bool { _, ok := v.Float64(); return ok },
		func() bool { _, _, ok := v.Decimal(); return ok },
		func() bool { _, ok := v.Time(); return ok },
		func() bool { _, ok := v.Text(); return ok },
		func() bool { _, ok := v.Bytes(); return ok },
		func() bool { _, ok := v.Table(); return ok },
		func() bool { _, ok := v.Array(); return ok },
	}
	for i, ok := range oks {
		if ok() {
			t.Errorf("accessor %d takes a void", i)
		}
	}
}

func TestTableErrors(t *testing.T) {
	deep := func(n int) []byte { // n tables, each the only field of the one around it
		var b []byte
		for range n - 1 {
			b = append(appendLong([]byte{0, 'F'}, uint32(len(b))), b...)
		}
		return b
	}
	if err := ValidateTable(deep(MaxTableDepth)); err != nil {
		t.Errorf("depth %d: %v", MaxTableDepth, err)
	}
	for _, tc := range []struct {
		name string
		in   string
		err  error
	}{
		{"too deep", string(deep(MaxTableDepth + 1)), ErrDepth},
		{"name beyond the end", "\x02a", ErrTable},
		{"name without a value", "\x01a", ErrTable},
		{"unknown type", "\x01az", ErrTable},
		{"short integer", "\x01aI\x00\x00\x00", ErrTable},
		{"short length", "\x01aS\x00\x00\x00", ErrTable},
		{"length beyond the end", "\x01aS\xff\xff\xff\xff", ErrTable},
		{"bad inner table", "\x01aF\x00\x00\x00\x01\x05", ErrTable},
		{"bad array", "\x01aA\x00\x00\x00\x01t", ErrTable},
		{"rest", "\x01aV\x00", ErrTable},
	} {
		if err := ValidateTable([]byte(tc.in)); !errors.Is(err, tc.err) {
			t.Errorf("%s: validate: %v", tc.name, err)
		}
		if tab, err := ParseTable([]byte(tc.in)); !errors.Is(err, tc.err) || tab != nil {
			t.Errorf("%s: parse: %v, %v", tc.name, tab, err)
		}
	}
}

func TestAppendTableErrors(t *testing.T) {
	deep := Value{}
	for range MaxTableDepth - 1 {
		deep = ArrayValue(deep)
	}
	if _, err := AppendTable(nil, Table{{"a", deep}}); err != nil {
		t.Errorf("depth %d: %v", MaxTableDepth, err)
	}
	long := strings.Repeat("n", 256)
	for _, tc := range []struct {
		name string
		in   Value
	}{
		{"too deep", ArrayValue(deep)},
		{"too deep in a table", TableValue(Table{{"a", deep}})},
		{"name too long, inside", TableValue(Table{{long, Value{}}})},
		{"invalid item", ArrayValue(TableValue(Table{{long, Value{}}}))},
	} {
		got, err := AppendTable([]byte("x"), Table{{"a", tc.in}})
		if !errors.Is(err, ErrTable) || string(got) != "x" {
			t.Errorf("%s: got %q, %v", tc.name, got, err)
		}
	}
}

func TestTableRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := tables(4).Draw(t, "table")
		b, err := AppendTable(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTable(b[tableHead:])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
		s := ScanTable(b[tableHead:])
		for i, f := range want {
			name, v, ok := s.Next()
			if !ok || string(name) != f.Name || !v.Equal(f.Value) || v.Copy() != f.Value ||
				v.Type() != f.Value.Type() {
				t.Fatalf("field %d: scanned %q %v %v, want %v", i, name, v, ok, f)
			}
		}
		if _, _, ok := s.Next(); ok {
			t.Fatal("scanned more than there is")
		}
	})
}

func TestFindField(t *testing.T) {
	in := Table{{"CC", ArrayValue()}, {"x-delay", Int32Value(-5)}, {"s", StringValue("t")}}
	b, err := AppendTable(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := FindField(b[tableHead:], "x-delay")
	if n, isInt := v.Int64(); !ok || !isInt || n != -5 {
		t.Errorf("x-delay: %v, %v", v, ok)
	}
	v, ok = FindField(b[tableHead:], "s")
	if s, isText := v.Text(); !ok || !isText || string(s) != "t" {
		t.Errorf("s: %v, %v", v, ok)
	}
	if v.Equal(StringValue("u")) || v.Equal(BytesValue([]byte("t"))) || !v.Equal(StringValue("t")) {
		t.Error("Equal does not compare type and octets")
	}
	if _, ok = FindField(b[tableHead:], "absent"); ok {
		t.Error("found an absent field")
	}
}

// tables draws tables nested up to depth further levels; nil when empty, as
// decoding gives them.
func tables(depth int) *rapid.Generator[Table] {
	field := rapid.Custom(func(t *rapid.T) Field {
		return Field{rapid.StringN(0, -1, 255).Draw(t, "name"), values(depth).Draw(t, "value")}
	})
	return rapid.Map(rapid.SliceOfN(field, 0, 5), func(f []Field) Table {
		return append(Table(nil), f...)
	})
}

func values(depth int) *rapid.Generator[Value] {
	kinds := "tbBsuIilLfdDTSxV"
	if depth > 0 {
		kinds += "FA"
	}
	return rapid.Custom(func(t *rapid.T) Value {
		switch kind := rapid.SampledFrom([]byte(kinds)).Draw(t, "kind"); kind {
		case 'V':
			return Value{}
		case 'S', 'x':
			return Value{kind, string(octets(20).Draw(t, "octets"))}
		case 'F':
			return TableValue(tables(depth-1).Draw(t, "table"))
		case 'A':
			return ArrayValue(rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "items")...)
		default:
			n := map[byte]int{'t': 1, 'b': 1, 'B': 1, 's': 2, 'u': 2, 'I': 4, 'i': 4, 'f': 4,
				'D': 5, 'l': 8, 'L': 8, 'd': 8, 'T': 8}[kind]
			return Value{kind, string(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "octets"))}
		}
	})
}
