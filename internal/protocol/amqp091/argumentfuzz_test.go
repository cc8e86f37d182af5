package amqp091

import (
	"strconv"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// FuzzQueueArguments: what is accepted makes a queue that a broker can have, and is
// the same as itself; what is refused is refused with a text.
func FuzzQueueArguments(f *testing.F) {
	for _, t := range []wire.Table{
		{{Name: argType, Value: wire.StringValue(quorumName)},
			{Name: argDeliveryLimit, Value: wire.Int8Value(-1)},
			{Name: argDeadExchange, Value: wire.StringValue("")},
			{Name: argDeadKey, Value: wire.StringValue("k")}},
		{{Name: argMaxPriority, Value: wire.Int64Value(255)},
			{Name: argMessageTTL, Value: wire.Uint32Value(7)},
			{Name: argOverflow, Value: wire.StringValue("reject-publish")},
			{Name: argSingle, Value: wire.BoolValue(true)}},
		{{Name: argExpires, Value: wire.Float64Value(1)}},
	} {
		b, err := wire.AppendTable(nil, t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[tableLength:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		args, err := wire.ParseTable(b)
		if err != nil {
			return
		}
		for _, a := range args {
			if err := sameArgument(a.Name, "o", args, args); err != nil {
				t.Fatalf("%s is not itself: %v", a.Name, err)
			}
		}
		if err := checkQueueArguments(args, "o"); err != nil {
			if asRefusal(err).text == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		var s broker.QueueSpec
		shape(&s, args)
		l := &s.Limits
		for _, x := range []broker.Bound{
			l.Expiry, l.Idle, l.MaxLength, l.MaxBytes, l.Deliveries,
		} {
			if x.N < 0 || !x.Set && x.N != 0 {
				t.Fatalf("limits %+v", l)
			}
		}
		if s.KeepAll != l.Deliveries.Set || l.Dead.OwnKey && !l.Dead.Set {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzLifetime compares with what the standard library reads.
func FuzzLifetime(f *testing.F) {
	for _, s := range []string{"0", "+7", "-1", "", "12a", "315360000001", "99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		life, wrong := lifetime(b)
		n, err := strconv.ParseInt(string(b), 10, 64)
		good := err == nil && n >= 0 && n <= longestTime
		if good != (wrong == "") || good && life != broker.AtMost(n) {
			t.Fatalf("%q: %+v %q", b, life, wrong)
		}
	})
}

// FuzzAnnotated writes deaths into any properties.
func FuzzAnnotated(f *testing.F) {
	f.Add([]byte{0, 0}, uint8(1))
	f.Add([]byte{0x20, 0, 0, 0, 0, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, header []byte, deaths uint8) {
		var p wire.Properties
		if p.Parse(header) != nil || len(header) > wire.FrameMinSize/2 {
			return
		}
		var h broker.History
		for i := range deaths%70 + 1 {
			h = h.With(broker.Death{Queue: strconv.Itoa(int(i)), Reason: broker.Expired})
		}
		d := &broker.Delivery{History: &h}
		out := annotated(d, header, wire.FrameMinSize)
		if err := p.Parse(out); err != nil {
			t.Fatal(err)
		}
		if len(out)+headerRoom > wire.FrameMinSize || p.Has(wire.FlagExpiration) {
			t.Fatalf("%d octets, flags %x", len(out), p.Flags)
		}
		if _, ok := wire.FindField(p.Headers, "x-death"); !ok {
			t.Fatal("no deaths")
		}
	})
}
