package wire

import "testing"

// traffic is what travels with each message, encoded and as values.
type traffic struct {
	body, header, publish []byte
	deliver               BasicDeliver
}

func newTraffic(tb testing.TB) traffic {
	p := Properties{Flags: FlagContentType | FlagDeliveryMode, DeliveryMode: 2,
		ContentType: []byte("application/json")}
	if err := p.SetHeaderTable(Table{{"trace-id", StringValue("4bf92f3577b34da6")}}); err != nil {
		tb.Fatal(err)
	}
	tr := traffic{
		body:    make([]byte, 1024),
		deliver: BasicDeliver{[]byte("amq.ctag-1"), 7, false, []byte("orders"), []byte("eu.new")},
	}
	var err error
	if tr.header, err = AppendContentHeader(nil, 1024, &p); err != nil {
		tb.Fatal(err)
	}
	m := BasicPublish{Exchange: []byte("orders"), RoutingKey: []byte("eu.new")}
	if tr.publish, err = AppendPublish(nil, 1, &m, tr.header, tr.body, 0); err != nil {
		tb.Fatal(err)
	}
	return tr
}

// decodePublish does what a server does with the three frames of a publish.
func decodePublish(tb testing.TB, d *Decoder, p *Properties, in []byte) (bodySize int) {
	for len(in) > 0 {
		f, size, err := ParseFrame(in, DefaultFrameMax)
		if err != nil {
			tb.Fatal(err)
		}
		switch f.Type {
		case FrameMethod:
			m, err := d.Method(f.Payload)
			if pub, ok := m.(*BasicPublish); err != nil || !ok || len(pub.RoutingKey) != 6 {
				tb.Fatal(m, err)
			}
		case FrameHeader:
			h, err := ParseContentHeader(f.Payload)
			if err != nil || p.Parse(h.Raw) != nil || p.DeliveryMode != 2 {
				tb.Fatal(h, err)
			}
		case FrameBody:
			bodySize += len(f.Payload)
		}
		in = in[size:]
	}
	return bodySize
}

func TestNoAllocation(t *testing.T) {
	tr, buf := newTraffic(t), make([]byte, 0, 4096)
	var d Decoder
	var p Properties
	acks := AppendNack(AppendAck(nil, 1, 1, true), 1, 2, false, true)
	for name, f := range map[string]func(){
		"publish": func() { decodePublish(t, &d, &p, tr.publish) },
		"deliver": func() {
			m := tr.deliver
			if _, err := AppendDeliver(buf, 1, &m, tr.header, tr.body, 4096); err != nil {
				t.Fatal(err)
			}
		},
		"acks": func() {
			for in := acks; len(in) > 0; {
				f, size, err := ParseFrame(in, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = d.Method(f.Payload); err != nil {
					t.Fatal(err)
				}
				in = in[size:]
			}
		},
		"append acks": func() {
			b := AppendNack(AppendAck(buf, 1, 1, true), 1, 2, true, true)
			AppendReject(b, 1, 3, true)
		},
		"headers": func() {
			if _, ok := FindField(p.Headers, "trace-id"); !ok {
				t.Fatal("no trace-id")
			}
		},
	} {
		decodePublish(t, &d, &p, tr.publish)
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecodePublish(b *testing.B) {
	tr := newTraffic(b)
	var d Decoder
	var p Properties
	b.ReportAllocs()
	b.SetBytes(int64(len(tr.publish)))
	for b.Loop() {
		decodePublish(b, &d, &p, tr.publish)
	}
}

func BenchmarkAppendDeliver(b *testing.B) {
	tr, buf := newTraffic(b), make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(tr.publish)))
	for b.Loop() {
		m := tr.deliver
		if _, err := AppendDeliver(buf, 1, &m, tr.header, tr.body, DefaultFrameMax); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPublish(b *testing.B) {
	tr, buf := newTraffic(b), make([]byte, 0, 4096)
	m := BasicPublish{Exchange: []byte("orders"), RoutingKey: []byte("eu.new")}
	b.ReportAllocs()
	b.SetBytes(int64(len(tr.publish)))
	for b.Loop() {
		if _, err := AppendPublish(buf, 1, &m, tr.header, tr.body, DefaultFrameMax); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAck(b *testing.B) {
	in := AppendAck(nil, 1, 1<<40, true)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := ParseFrame(in, DefaultFrameMax)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Method(f.Payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAck(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		AppendAck(buf, 1, 1<<40, true)
	}
}

func BenchmarkParseTable(b *testing.B) {
	enc, err := AppendTable(nil, Table{{"x-message-ttl", Int32Value(60000)},
		{"x-queue-type", StringValue("quorum")}, {"x-max-length", Int64Value(1e6)}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTable(enc[tableHead:]); err != nil {
			b.Fatal(err)
		}
	}
}
