package wire

import (
	"encoding/json"
	"math"
	"testing"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	table := Table{
		{"bool", BoolValue(true)}, {"i8", Int8Value(-8)}, {"u8", Uint8Value(200)},
		{"i64", Int64Value(math.MinInt64)}, {"f", Float32Value(1.5)},
		{"nan", Float64Value(math.NaN())}, {"up", Float64Value(math.Inf(1))},
		{"down", Float64Value(math.Inf(-1))}, {"d", DecimalValue(2, 314)},
		{"when", TimestampValue(math.MaxUint64)}, {"s", StringValue("é\n")},
		{"latin", StringValue("\xe9")}, {"x", BytesValue([]byte("raw"))}, {"void", Value{}},
		{"list", ArrayValue(Int16Value(1), StringValue("a"), ArrayValue())},
		{"t", TableValue(Table{{"k", Uint32Value(1)}})}, {"s", StringValue("again")},
		{"fine", DecimalValue(255, 1)},
	}
	got, err := json.Marshal(table.Plain())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bool":true,"d":3.14,"down":"-Infinity","f":1.5,"fine":1e-255,` +
		`"i64":-9223372036854775808,"i8":-8,"latin":"é","list":[1,"a",[]],"nan":"NaN",` +
		`"s":"é\n","t":{"k":1},"u8":200,"up":"Infinity","void":null,` +
		`"when":18446744073709551615,"x":"raw"}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// FuzzPlain: whatever a table holds can be shown.
func FuzzPlain(f *testing.F) {
	b, err := AppendTable(nil, Table{
		{"a", ArrayValue(Float64Value(math.NaN()), TableValue(Table{{"\xff", Int8Value(1)}}))},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[tableHead:])
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := ParseTable(b)
		if err != nil {
			return
		}
		if _, err := json.Marshal(table.Plain()); err != nil {
			t.Error(err)
		}
	})
}
