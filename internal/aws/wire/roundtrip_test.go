package wire_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/wire"
)

// filler makes values of any generated type.
type filler struct {
	rng  *rand.Rand
	full bool // no member is left out
}

const alphabet = "aZ09 /+=&%;,.:-_~<>\"'\\\t\n\ré世😀"

func (f *filler) text() string {
	runes := []rune(alphabet)
	out := make([]rune, 1+f.rng.IntN(12))
	for i := range out {
		out[i] = runes[f.rng.IntN(len(runes))]
	}
	return string(out)
}

// fill sets v; depth bounds types that contain themselves.
func (f *filler) fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if depth > 6 {
			return
		}
		n := reflect.New(v.Type().Elem())
		f.fill(n.Elem(), depth+1)
		v.Set(n)
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.rng.IntN(2) == 0)
	case reflect.Int32, reflect.Int64:
		v.SetInt(f.rng.Int64() >> (1 + 64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.rng.IntN(1000)) / 8)
	case reflect.Slice:
		if depth > 6 {
			return
		}
		n := 1 + f.rng.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				v.Index(i).SetUint(uint64(f.rng.IntN(256)))
				continue
			}
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + f.rng.IntN(3) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(k, depth+1)
			f.fill(e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMilli(f.rng.Int64N(1 << 41)).UTC()))
			return
		}
		f.members(v, depth)
	}
}

func (f *filler) members(v reflect.Value, depth int) {
	for i := range v.NumField() {
		// A required list that is nil goes out empty.
		must := f.full || strings.Contains(v.Type().Field(i).Tag.Get("aws"), ",required")
		if must || f.rng.IntN(2) == 0 {
			f.fill(v.Field(i), depth+1)
		}
	}
}

// request renders in as a client does, reads it as a server does, and gives
// what the server has.
func request(t testing.TB, c *wire.Codec, op *wire.Op, in any) any {
	t.Helper()
	r, err := c.EncodeRequest(op, in)
	if err != nil {
		t.Fatalf("%s: %v", op.Name, err)
	}
	found, err := c.Route(r)
	if err != nil || found.Name != op.Name {
		t.Fatalf("%s: routed to %v: %v", op.Name, found, err)
	}
	got := op.In()
	if err := c.Decode(op, r, got); err != nil && !violation(err) {
		t.Fatalf("%s: %v\n%s %s\n%s", op.Name, err, r.Path, r.RawQuery, r.Body)
	}
	return got
}

// TestRoundTrip sends every operation's input and output there and back.
func TestRoundTrip(t *testing.T) {
	for _, api := range apis() {
		t.Run(api.Name, func(t *testing.T) {
			c := compile(t, api)
			for seed := range uint64(6) {
				// The query protocol cannot tell an empty structure from none.
				f := &filler{rand.New(rand.NewPCG(seed, 1)), seed == 0 || api.Protocol == "query"}
				for i := range api.Ops {
					op := &api.Ops[i]
					in, out := op.In(), op.Out()
					f.fill(reflect.ValueOf(in).Elem(), 0)
					if got := request(t, c, op, in); !reflect.DeepEqual(got, in) {
						t.Errorf("%s\ngot  %#v\nwant %#v", op.Name, got, in)
					}
					f.fill(reflect.ValueOf(out).Elem(), 0)
					r, err := c.Encode(op, out, "id")
					if err != nil {
						t.Fatal(err)
					}
					got := op.Out()
					if err := c.DecodeResponse(op, r, got); err != nil && !violation(err) {
						t.Fatalf("%s: %v\n%s", op.Name, err, r.Body)
					}
					if r.Status != 204 && !reflect.DeepEqual(got, out) {
						t.Errorf("%s\ngot  %#v\nwant %#v\n%s", op.Name, got, out, r.Body)
					}
				}
			}
		})
	}
}

// TestTable: the operations are in order and found, and what each makes fits
// its package's interface.
func TestTable(t *testing.T) {
	for _, api := range apis() {
		for i := range api.Ops {
			op := &api.Ops[i]
			if got, ok := api.Op(op.Name); !ok || got != op {
				t.Errorf("%s %s is not found", api.Name, op.Name)
			}
		}
		if _, ok := api.Op("Nothing"); ok {
			t.Errorf("%s has Nothing", api.Name)
		}
	}
}
