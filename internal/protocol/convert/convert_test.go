package convert

import (
	"bytes"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	old "coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/amqp10/wire"
)

// message091 encodes a message of AMQP 0-9-1.
func message091(t testing.TB, p *old.Properties, headers old.Table, body string) broker.Content {
	t.Helper()
	if headers != nil {
		if err := p.SetHeaderTable(headers); err != nil {
			t.Fatal(err)
		}
	}
	header, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return broker.Content{Format: Format091, Header: header, Body: []byte(body)}
}

func parse091(t testing.TB, c broker.Content) (old.Properties, old.Table) {
	t.Helper()
	var p old.Properties
	if err := p.Parse(c.Header); err != nil {
		t.Fatal(err)
	}
	table, err := p.HeaderTable()
	if err != nil {
		t.Fatal(err)
	}
	return p, table
}

func parse10(t testing.TB, c broker.Content) wire.Message {
	t.Helper()
	var m wire.Message
	if err := m.Parse(append(bytes.Clone(c.Header), c.Body...)); err != nil {
		t.Fatal(err)
	}
	return m
}

// All that both protocols can say survives the way to AMQP 1.0 and back.
func TestThereAndBack(t *testing.T) {
	headers := old.Table{
		{Name: "bool", Value: old.BoolValue(true)}, {Name: "i8", Value: old.Int8Value(-8)},
		{Name: "u8", Value: old.Uint8Value(8)}, {Name: "i16", Value: old.Int16Value(-16)},
		{Name: "u16", Value: old.Uint16Value(16)}, {Name: "i32", Value: old.Int32Value(-1 << 31)},
		{Name: "u32", Value: old.Uint32Value(1 << 31)},
		{Name: "i64", Value: old.Int64Value(-1 << 62)},
		{Name: "f32", Value: old.Float32Value(1.5)}, {Name: "f64", Value: old.Float64Value(-2.25)},
		{Name: "time", Value: old.TimestampValue(1700000000)},
		{Name: "text", Value: old.StringValue("täxt")}, {Name: "void"},
	}
	p := old.Properties{
		Flags: old.FlagContentType | old.FlagContentEncoding | old.FlagDeliveryMode |
			old.FlagPriority | old.FlagCorrelationID | old.FlagReplyTo | old.FlagExpiration |
			old.FlagMessageID | old.FlagTimestamp | old.FlagType | old.FlagUserID | old.FlagAppID,
		ContentType: []byte("text/plain"), ContentEncoding: []byte("gzip"), DeliveryMode: 2,
		Priority: 7, CorrelationID: []byte("corr"), ReplyTo: []byte("answers/here %"),
		Expiration: []byte("60000"),
		MessageID:  []byte("urn:uuid:00112233-4455-6677-8899-aabbccddeeff"),
		Timestamp:  1700000001, Type: []byte("order"), UserID: []byte("guest"),
		AppID: []byte("shop"),
	}
	m := message091(t, &p, headers, "body")
	there, err := To10(m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := To091(there)
	if err != nil {
		t.Fatal(err)
	}
	got, table := parse091(t, back)
	if string(back.Body) != "body" {
		t.Errorf("body %q", back.Body)
	}
	for _, f := range headers {
		if v, ok := table.Get(f.Name); !ok || v != f.Value {
			t.Errorf("header %s came back as %v", f.Name, v)
		}
	}
	want, _ := parse091(t, m)
	got.Headers, want.Headers = nil, nil
	a, err := got.Append(nil)
	b, err2 := want.Append(nil)
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("properties\n%+v\ninstead of\n%+v", got, want)
	}
}

// What stands where in AMQP 1.0.
func TestTo10(t *testing.T) {
	p := old.Properties{
		Flags:   old.FlagReplyTo | old.FlagType | old.FlagMessageID | old.FlagTimestamp,
		ReplyTo: []byte("q 1"), Type: []byte("T"), MessageID: []byte("id"), Timestamp: 5,
	}
	c, err := To10(message091(t, &p, old.Table{
		{Name: "x-mine", Value: old.StringValue("a")}, {Name: "k", Value: old.Int32Value(3)},
		{Name: "list", Value: old.ArrayValue(old.Int32Value(1))},
		{Name: "CC", Value: old.ArrayValue(old.StringValue("r"))},
	}, "b"))
	if err != nil {
		t.Fatal(err)
	}
	m := parse10(t, c)
	text := func(v wire.Raw) string {
		b, _ := v.Word()
		return string(b)
	}
	if got := text(m.Annotations.Find("x-mine")); got != "a" {
		t.Errorf("annotation x-mine is %q", got)
	}
	if got := text(m.Annotations.Find("x-basic-type")); got != "T" {
		t.Errorf("annotation x-basic-type is %q", got)
	}
	if !m.Annotations.Find("x-cc").IsList() {
		t.Error("annotation x-cc is no list")
	}
	if n, _ := m.Bare.Application.Find("k").Integer(); n != 3 {
		t.Errorf("application property k is %d", n)
	}
	for _, name := range []string{"list", "x-mine", "CC"} {
		if m.Bare.Application.Find(name) != nil {
			t.Errorf("%s is an application property", name)
		}
	}
	var q wire.Properties
	if err := q.Parse(m.Bare.Properties); err != nil {
		t.Fatal(err)
	}
	if text(q.ReplyTo) != "/queues/q%201" || text(q.MessageID) != "id" ||
		q.CreationTime.Value != 5000 {
		t.Errorf("properties %+v", q)
	}
}

// What AMQP 0-9-1 has no place for goes into headers, or stays encoded.
func TestTo091(t *testing.T) {
	q := wire.Properties{
		MessageID:     wire.AppendUlong(nil, 42),
		CorrelationID: wire.AppendBinary(nil, []byte{0, 1}),
		ReplyTo:       wire.AppendString(nil, "/exchanges/x/k"),
	}
	value := wire.AppendString(wire.AppendDescriptor(nil, wire.CodeAmqpValue), "v")
	c := broker.Content{Format: Format10, Body: append(q.Append(nil), value...)}
	out, err := To091(c)
	if err != nil {
		t.Fatal(err)
	}
	p, table := parse091(t, out)
	if string(p.MessageID) != "42" || string(p.ReplyTo) != "/exchanges/x/k" || p.DeliveryMode != 2 {
		t.Errorf("properties %+v", p)
	}
	if v, _ := table.Get("x-correlation-id"); v != old.BytesValue([]byte{0, 1}) {
		t.Errorf("x-correlation-id is %v", v)
	}
	if string(p.Type) != encodedType || !bytes.Equal(out.Body, value) {
		t.Errorf("type %q, body %q", p.Type, out.Body)
	}
	back, err := To10(out)
	if err != nil {
		t.Fatal(err)
	}
	if m := parse10(t, back); !bytes.Equal(m.Bare.Body, value) {
		t.Errorf("body %q came back", m.Bare.Body)
	}
}

// Several data sections are one body, and a message without a body has an empty one.
func TestBodies(t *testing.T) {
	var two []byte
	for _, s := range []string{"ab", "cd"} {
		two = wire.AppendBinary(wire.AppendDescriptor(two, wire.CodeData), s)
	}
	for want, body := range map[string][]byte{"abcd": two, "": nil} {
		out, err := To091(broker.Content{Format: Format10, Body: body})
		if err != nil || string(out.Body) != want {
			t.Errorf("%q became %q, %v", body, out.Body, err)
		}
	}
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("n", 300)
	app, at := wire.OpenMap(wire.AppendDescriptor(nil, wire.CodeApplicationProperties))
	app = wire.AppendBool(wire.AppendString(app, long), true)
	q := wire.Properties{MessageID: wire.AppendString(nil, long)}
	c := broker.Content{
		Format: Format10, Body: append(q.Append(nil), wire.CloseMap(app, at, 1)...),
	}
	out, err := To091(c)
	if err != nil {
		t.Fatal(err)
	}
	_, table := parse091(t, out)
	if v, _ := table.Get("x-message-id"); v != old.StringValue(long) || len(table) != 1 {
		t.Errorf("headers %v", table)
	}
}

func TestUnknownFormat(t *testing.T) {
	for _, to := range []func(broker.Content) (broker.Content, error){To091, To10} {
		if _, err := to(broker.Content{Format: 9}); fault.KindOf(err) != fault.NotImplemented {
			t.Errorf("error %v", err)
		}
	}
}

// What one codec accepts becomes what the other one accepts.
func FuzzConvert(f *testing.F) {
	p := old.Properties{Flags: old.FlagMessageID, MessageID: []byte("m")}
	f.Add(uint8(Format091), message091(f, &p, old.Table{{Name: "x-a"}}, "").Header, []byte("b"))
	q := wire.Properties{Subject: []byte("s"), To: wire.AppendString(nil, "/queues/q")}
	h := wire.Header{Priority: wire.Some(uint8(3)), TTL: wire.Some(uint32(9))}
	body := wire.AppendUlong(wire.AppendDescriptor(q.Append(nil), wire.CodeAmqpValue), 7)
	f.Add(uint8(Format10), h.Append(nil), body)
	f.Fuzz(func(t *testing.T, format uint8, header, body []byte) {
		c := broker.Content{Format: format, Header: header, Body: body}
		if out, err := To10(c); err == nil {
			var m wire.Message
			var b wire.Bare
			if m.Parse(out.Header) != nil || b.Parse(out.Body) != nil {
				if format != Format10 {
					t.Fatalf("%x %x became %x %x", header, body, out.Header, out.Body)
				}
			}
		}
		if out, err := To091(c); err == nil && format != Format091 {
			var p old.Properties
			if err := p.Parse(out.Header); err != nil {
				t.Fatalf("%x %x became %x: %v", header, body, out.Header, err)
			}
		}
	})
}
