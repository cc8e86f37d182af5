package wire

import (
	"bytes"
	"testing"
)

// What is a frame has a size within its bound, and its body is parsed or refused.
func FuzzFrame(f *testing.F) {
	for _, v := range filled() {
		b, at := OpenFrame(nil, FrameAMQP, 1)
		f.Add(CloseFrame(v.Append(b), at))
	}
	f.Add([]byte("\x00\x00\x00\x08\x02\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x1a\x02\x00\x00\x00" +
		"\x00\x53\x14\xc0\x0b\x05\x43\x43\xa0\x01t\x43\x42xyz"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		frame, size, err := ParseFrame(b, limit)
		if err != nil {
			return
		}
		if size < FrameHead || size > limit || size <= len(b) && len(frame.Body) > size {
			t.Fatalf("a frame of %d octets with %d", size, len(frame.Body))
		}
		if size > len(b) {
			return
		}
		p, err := ParsePerformative(frame.Body)
		if err != nil {
			return
		}
		v := blank(p.Code)
		if v == nil || v.Parse(p.Fields) != nil {
			return
		}
		again := v.Append(nil)
		q, err := ParsePerformative(again)
		if err != nil || q.Code != p.Code || v.Parse(q.Fields) != nil {
			t.Fatalf("%x became %x, %v", frame.Body, again, err)
		}
		if third := v.Append(nil); !bytes.Equal(third, again) {
			t.Fatalf("%x became %x", again, third)
		}
	})
}

// A value that is accepted can be walked to its last leaf.
func FuzzValue(f *testing.F) {
	for _, v := range filled() {
		f.Add(v.Append(nil))
	}
	f.Add(AppendUUID(nil, [16]byte{1}))
	f.Add(AppendDouble(AppendFloat(nil, 1), 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := Next(b)
		if err != nil {
			return
		}
		if len(v)+len(rest) != len(b) || Validate(v) != nil {
			t.Fatalf("%x was split into %x and %x", b, v, rest)
		}
		walk(t, v, MaxDepth)
	})
}

func walk(t *testing.T, v Raw, depth int) {
	if depth < 0 {
		t.Fatal("deeper than what was accepted")
	}
	if v.IsMap() {
		v.Pairs(func(key, value Raw) bool {
			walk(t, key, depth-1)
			walk(t, value, depth-1)
			return true
		})
	}
	if v.IsList() || v.IsArray() {
		v.Elements(func(e Raw) bool {
			if err := Validate(e); err != nil {
				t.Fatalf("an element of %x: %v", v, err)
			}
			walk(t, e, depth-1)
			return true
		})
	}
	if _, inner, ok := v.Described(); ok {
		walk(t, inner, depth-1)
	}
	v.Bool()
	v.Integer()
	v.Float()
	v.Timestamp()
	v.Word()
	v.Binary()
	v.Find("k")
}

// A message that is accepted is the sum of its sections.
func FuzzMessage(f *testing.F) {
	h, q := Header{Durable: true}, Properties{Subject: []byte("s")}
	body := AppendBinary(AppendDescriptor(q.Append(h.Append(nil)), CodeData), "x")
	f.Add(body)
	f.Add(append(body, "\x00\x53\x78\xc1\x01\x00"...))
	f.Add([]byte("\x00\x53\x72\xc1\x01\x00" +
		"\x00\x53\x74\xc1\x01\x00\x00\x53\x76\x45\x00\x53\x76\x45"))
	f.Add([]byte("\x00\x53\x77\x40"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		if m.Parse(b) != nil {
			return
		}
		if !bytes.HasSuffix(b, m.Bare.Encoded) {
			t.Fatalf("the bare message %x is not the end of %x", m.Bare.Encoded, b)
		}
		if len(m.Bare.Body) > 0 && !bytes.Contains(m.Bare.Encoded, m.Bare.Body) {
			t.Fatalf("the body %x is not in %x", m.Bare.Body, b)
		}
		n := 0
		m.Bare.each(func(v Raw) {
			n++
			if err := Validate(v); err != nil {
				t.Fatal(err)
			}
		})
		if n != m.Bare.Sections {
			t.Fatalf("%d sections, not %d", n, m.Bare.Sections)
		}
		m.Bare.Value()
		m.Bare.EachData(func([]byte) {})
	})
}
