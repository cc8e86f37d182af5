package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// seedMethods gives payloads of some methods, for seeds.
func seedMethods(f *testing.F) [][]byte {
	var out [][]byte
	for _, m := range []Method{
		&ConnectionStart{0, 9, Table{{"capabilities", TableValue(Table{{"a", BoolValue(true)}})}},
			"PLAIN", "en_US"},
		&ConnectionStartOk{nil, "PLAIN", Secret("\x00a\x00b"), "en_US"},
		&QueueDeclare{Queue: "q", Arguments: Table{{"x", ArrayValue(StringValue("s"), Value{})}}},
		&BasicPublish{[]byte("x"), []byte("k"), true, false},
		&BasicDeliver{[]byte("c"), 1, true, []byte("x"), []byte("k")},
		&BasicNack{1, true, true},
		&ConnectionBlocked{"low on memory"},
	} {
		b, err := AppendMethod(nil, 1, m)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b[frameHead:len(b)-1])
	}
	return out
}

func FuzzFrame(f *testing.F) {
	for _, p := range seedMethods(f) {
		f.Add(AppendFrame(nil, Frame{FrameMethod, 1, p}), uint32(4096))
	}
	f.Add(AppendHeartbeat(nil), uint32(0))
	f.Add([]byte("\x03\x00\x01\xff\xff\xff\xff"), uint32(1))
	f.Fuzz(func(t *testing.T, in []byte, frameMax uint32) {
		fr, size, err := ParseFrame(in, frameMax)
		limit := uint64(max(frameMax, 8)) + FrameOverhead
		if frameMax == 0 {
			limit = InitialFrameMax + FrameOverhead
		}
		switch {
		case err != nil || size > len(in):
			if fr.Payload != nil || uint64(size) > limit {
				t.Fatalf("size %d for a limit of %d, payload %x", size, frameMax, fr.Payload)
			}
		case !bytes.Equal(AppendFrame(nil, fr), in[:size]):
			t.Fatalf("%x encodes otherwise", in[:size])
		}
	})
}

func FuzzMethod(f *testing.F) {
	for _, p := range seedMethods(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Decoder
		m, err := ParseMethod(in)
		scratch, scratchErr := d.Method(in)
		if (err == nil) != (scratchErr == nil) || !sameMethod(m, scratch) {
			t.Fatalf("ParseMethod %#v, %v; Decoder %#v, %v", m, err, scratch, scratchErr)
		}
		if err != nil {
			return
		}
		b, err := AppendMethod(nil, 1, m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseMethod(b[frameHead : len(b)-1])
		if err != nil || !sameMethod(m, again) {
			t.Fatalf("%#v comes back as %#v, %v", m, again, err)
		}
		if twice, err := AppendMethod(nil, 1, again); err != nil || !bytes.Equal(b, twice) {
			t.Fatalf("%x, then %x, %v", b, twice, err)
		}
	})
}

func sameMethod(a, b Method) bool { return a == nil && b == nil || reflect.DeepEqual(a, b) }

func FuzzTable(f *testing.F) {
	f.Add([]byte("\x01tt\x01\x01FF\x00\x00\x00\x03\x01aV\x01AA\x00\x00\x00\x02VV"))
	f.Add([]byte("\x00S\x00\x00\x00\x01s\x00x\x00\x00\x00\x00\x01Dd" + "12345678"))
	f.Add([]byte("\x01bb1\x01BB1\x01ss12\x01uu12\x01lL12345678\x00f1234\x00D12345"))
	f.Fuzz(func(t *testing.T, in []byte) {
		tab, err := ParseTable(in)
		if (err == nil) != (ValidateTable(in) == nil) {
			t.Fatalf("ParseTable %v, ValidateTable %v", err, ValidateTable(in))
		}
		fields := 0
		for s := ScanTable(in); ; fields++ {
			if _, _, ok := s.Next(); !ok {
				break
			}
		}
		if err != nil {
			return
		}
		if fields != len(tab) || cap(tab) > len(in)/2 {
			t.Fatalf("scanned %d fields, parsed %d, room for %d", fields, len(tab), cap(tab))
		}
		for _, field := range tab {
			walk(t, field.Value, 1)
		}
		out, err := AppendTable(nil, tab)
		if err != nil || !bytes.Equal(out[tableHead:], in) {
			t.Fatalf("got %x, %v, want %x", out, err, in)
		}
	})
}

// walk builds a value again from its parts.
func walk(t *testing.T, v Value, depth int) {
	if depth > MaxTableDepth {
		t.Fatalf("depth %d", depth)
	}
	if tab, ok := v.Table(); ok {
		if TableValue(tab) != v {
			t.Fatalf("table %x", v.raw)
		}
		for _, f := range tab {
			walk(t, f.Value, depth+1)
		}
	}
	if items, ok := v.Array(); ok {
		if ArrayValue(items...) != v || len(items) > len(v.raw) {
			t.Fatalf("array %x", v.raw)
		}
		for _, item := range items {
			walk(t, item, depth+1)
		}
	}
}

func FuzzContentHeader(f *testing.F) {
	const head = "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
	f.Add([]byte(head + "\x00\x00"))
	f.Add([]byte(head + "\x98\x01\x00\x00\x01t\x02\x09"))
	f.Add([]byte(head + "\x21\x00\x00\x00\x00\x03\x01aV\x0260"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ParseContentHeader(in)
		if err != nil {
			return
		}
		var p, again Properties
		if p.Parse(h.Raw) != nil {
			return
		}
		b, err := p.Append(nil)
		if err != nil || again.Parse(b) != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%+v comes back as %+v, %v", p, again, err)
		}
		// Only further, empty words of flags may be lost.
		if len(b) > len(h.Raw) || len(b) == len(h.Raw) && !bytes.Equal(b, h.Raw) {
			t.Fatalf("%x becomes %x", h.Raw, b)
		}
	})
}
