package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The octets were composed by hand from the specification's grammar and, for
// basic.nack, exchange.unbind-ok and update-secret, RabbitMQ's documentation.
func TestMethodOctets(t *testing.T) {
	for _, tc := range []struct {
		m    Method
		want string
	}{
		{&ConnectionTune{2047, 131072, 60}, "01 0001 0000000c 000a001e 07ff 00020000 003c ce"},
		{&ConnectionOpen{"/"}, "01 0001 00000008 000a0028 012f 00 00 ce"},
		{&ConnectionUpdateSecret{Secret("s"), "r"}, "01 0001 0000000b 000a0046 0000000173 0172 ce"},
		{&ConnectionBlocked{"x"}, "01 0001 00000006 000a003c 0178 ce"},
		{&ChannelOpenOk{}, "01 0001 00000008 0014000b 00000000 ce"},
		{&ChannelClose{NotFound, "n", 60, 40},
			"01 0001 0000000c 00140028 0194 016e 003c 0028 ce"},
		{&ExchangeUnbindOk{}, "01 0001 00000004 00280033 ce"},
		{&QueueDeclare{Queue: "q", Durable: true, NoWait: true},
			"01 0001 0000000d 0032000a 0000 0171 12 00000000 ce"},
		{&QueueDeclare{Exclusive: true, AutoDelete: true, Passive: true,
			Arguments: Table{{"a", BoolValue(true)}}},
			"01 0001 00000010 0032000a 0000 00 0d 00000004 01617401 ce"},
		{&BasicQos{0, 5, true}, "01 0001 0000000b 003c000a 00000000 0005 01 ce"},
		{&BasicPublish{[]byte("x"), []byte("k"), true, false},
			"01 0001 0000000b 003c0028 0000 0178 016b 01 ce"},
		{&BasicDeliver{[]byte("c"), 7, true, nil, []byte("k")},
			"01 0001 00000012 003c003c 0163 0000000000000007 01 00 016b ce"},
		{&BasicNack{math.MaxUint64, true, true},
			"01 0001 0000000d 003c0078 ffffffffffffffff 03 ce"},
		{&ConfirmSelect{NoWait: true}, "01 0001 00000005 0055000a 01 ce"},
		{&TxRollbackOk{}, "01 0001 00000004 005a001f ce"},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(tc.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := AppendMethod(nil, 1, tc.m)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v, want %s", tc.m.ID(), got, err, tc.want)
		}
	}
}

func TestParseMethodErrors(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		code     Code
		err      error
		text     string
	}{
		{"nothing", "", NotImplemented, ErrMethod,
			"NOT_IMPLEMENTED - unknown class or method (0, 0)"},
		{"unknown", "\x00\x3c\x00\x79", NotImplemented, ErrMethod,
			"method 60/121: NOT_IMPLEMENTED - unknown class or method (60, 121)"},
		{"short", "\x00\x3c\x00\x50\x00", FrameError, ErrSyntax,
			"basic.ack: FRAME_ERROR - cannot decode <<...>>"},
		{"long", "\x00\x14\x00\x29\x00", FrameError, ErrSyntax,
			"channel.close-ok: FRAME_ERROR - cannot decode <<...>>"},
		{"string beyond the end", "\x00\x3c\x00\x28\x00\x00\x05ab", FrameError, ErrSyntax,
			"basic.publish: FRAME_ERROR - cannot decode <<...>>"},
		{"not UTF-8", "\x00\x0a\x00\x28\x01\xff\x00\x00", FrameError, ErrUTF8,
			"connection.open: FRAME_ERROR - Malformed UTF-8 in shortstr"},
		{"bad table", "\x00\x32\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\x05", FrameError, ErrTable,
			"queue.declare: FRAME_ERROR - cannot decode <<...>>"},
	} {
		var d Decoder
		for _, parse := range []func([]byte) (Method, error){ParseMethod, d.Method} {
			m, err := parse([]byte(tc.in))
			e, ok := errors.AsType[*Error](err)
			if m != nil || !ok || !errors.Is(err, tc.err) || e.Code != tc.code ||
				e.Error() != tc.text {
				t.Errorf("%s: got %v, %v", tc.name, m, err)
			}
		}
	}
}

func TestAppendMethodErrors(t *testing.T) {
	long := strings.Repeat("q", 256)
	dst := []byte("before")
	for _, m := range []Method{
		&QueuePurge{Queue: long},
		&BasicPublish{Exchange: []byte(long)},
		&QueueDeclare{Arguments: Table{{long, Value{}}}},
	} {
		got, err := AppendMethod(dst, 1, m)
		if !errors.Is(err, ErrShortstr) || string(got) != "before" {
			t.Errorf("%s: got %q, %v", m.ID(), got, err)
		}
	}
}

// methodIDs gives every known method.
func methodIDs() []MethodID {
	var ids []MethodID
	for class := range uint32(256) {
		for method := range uint32(256) {
			if id := MethodID(class<<16 | method); newMethod(id) != nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func TestMethodFacts(t *testing.T) {
	ids := methodIDs()
	if len(ids) != 64 {
		t.Errorf("%d methods, not 64", len(ids))
	}
	classes := map[uint16]bool{}
	for _, id := range ids {
		classes[id.Class()] = true
		if newMethod(id).ID() != id || strings.HasPrefix(id.String(), "method ") ||
			!id.ToServer() && !id.ToClient() {
			t.Errorf("%d/%d: %s", id.Class(), id.Method(), id)
		}
	}
	if len(classes) != 7 {
		t.Errorf("%d classes, not 7", len(classes))
	}
	for _, id := range []MethodID{IDBasicAck, IDBasicNack, IDBasicCancel} {
		if !id.ToServer() || !id.ToClient() || id.HasContent() {
			t.Errorf("%s does not travel both ways", id)
		}
	}
	if !IDBasicPublish.HasContent() || IDBasicPublish.ToClient() || IDBasicPublish.Synchronous() ||
		!IDQueueDeclare.Synchronous() {
		t.Error("flags of basic.publish or queue.declare are wrong")
	}
}

func TestMethodRoundTrip(t *testing.T) {
	for _, id := range methodIDs() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newMethod(id)
				drawFields(t, reflect.ValueOf(m).Elem())
				channel := rapid.Uint16().Draw(t, "channel")
				b, err := AppendMethod([]byte("x"), channel, m)
				if err != nil {
					t.Fatal(err)
				}
				f, size, err := ParseFrame(b[1:], math.MaxUint32)
				if err != nil || size != len(b)-1 || f.Channel != channel || f.Type != FrameMethod {
					t.Fatalf("frame %v, size %d of %d, %v", f, size, len(b)-1, err)
				}
				var d Decoder
				for _, parse := range []func([]byte) (Method, error){ParseMethod, d.Method} {
					got, err := parse(f.Payload)
					if err != nil || !reflect.DeepEqual(got, m) {
						t.Fatalf("got %#v, %v, want %#v", got, err, m)
					}
				}
			})
		})
	}
}

// drawFields fills a method with arbitrary values.
func drawFields(t *rapid.T, v reflect.Value) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Interface().(type) {
		case Table:
			f.Set(reflect.ValueOf(tables(2).Draw(t, name)))
		case Secret:
			f.Set(reflect.ValueOf(Secret(octets(300).Draw(t, name))))
		case []byte:
			f.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 255).Draw(t, name))
		case string:
			f.SetString(rapid.StringN(0, -1, 255).Draw(t, name))
		case bool:
			f.SetBool(rapid.Bool().Draw(t, name))
		default:
			f.SetUint(rapid.Uint64Max(1<<f.Type().Bits()-1).Draw(t, name))
		}
	}
}

// octets gives slices that are nil when empty, as decoding gives them.
func octets(n int) *rapid.Generator[[]byte] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, n), func(b []byte) []byte {
		return append([]byte(nil), b...)
	})
}
