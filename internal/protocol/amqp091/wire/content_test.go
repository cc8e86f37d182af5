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

func TestContentHeaderOctets(t *testing.T) {
	p := Properties{
		Flags: FlagContentType | FlagHeaders | FlagDeliveryMode | FlagTimestamp |
			FlagClusterID,
		ContentType:  []byte("a/b"),
		Headers:      []byte("\x01kV"),
		DeliveryMode: 2,
		Timestamp:    1,
		AppID:        []byte("absent"),
	}
	want := "003c0000" + "0000000000000102" + "b044" +
		"03612f62" + "00000003016b56" + "02" + "0000000000000001" + "00"
	got, err := AppendContentHeader([]byte("x"), 0x102, &p)
	if err != nil || "78"+want != hex.EncodeToString(got) {
		t.Fatalf("got %x, %v, want 78%s", got, err, want)
	}
	h, err := ParseContentHeader(got[1:])
	if err != nil || h.Class != ClassBasic || h.Weight != 0 || h.BodySize != 0x102 {
		t.Fatalf("got %v, %v", h, err)
	}
	var back Properties
	if err := back.Parse(h.Raw); err != nil {
		t.Fatal(err)
	}
	p.AppID, p.ClusterID = nil, []byte{}
	if !reflect.DeepEqual(back, p) {
		t.Errorf("got %+v, want %+v", back, p)
	}
	if tab, err := back.HeaderTable(); err != nil || len(tab) != 1 || tab[0].Name != "k" {
		t.Errorf("headers: %v, %v", tab, err)
	}
}

func TestPropertiesErrors(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		err      error
	}{
		{"empty", "", ErrSyntax},
		{"unknown property", "\x00\x02", ErrFlags},
		{"endless flags", "\x00\x01", ErrSyntax},
		{"further unknown property", "\x00\x01\x00\x02", ErrFlags},
		{"value missing", "\x80\x00", ErrSyntax},
		{"value cut", "\x80\x00\x05abc", ErrSyntax},
		{"octets left", "\x10\x00\x02\x02", ErrSyntax},
		{"bad headers", "\x20\x00\x00\x00\x00\x01\x07", ErrTable},
		{"headers beyond the end", "\x20\x00\xff\xff\xff\xff", ErrSyntax},
	} {
		var p Properties
		err := p.Parse([]byte(tc.in))
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, tc.err) ||
			e.Code != FrameError || e.ReplyText() != "FRAME_ERROR - cannot decode content header" {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := ParseContentHeader(make([]byte, 13)); !errors.Is(err, ErrSyntax) {
		t.Errorf("short header: %v", err)
	}
	var p Properties
	if err := p.Parse([]byte("\x10\x01\x00\x00\x02")); err != nil || p.DeliveryMode != 2 {
		t.Errorf("an empty further word of flags: %v, %v", p.DeliveryMode, err)
	}
}

func TestPropertiesAppendErrors(t *testing.T) {
	long := make([]byte, 256)
	for _, tc := range []struct {
		p   Properties
		err error
	}{
		{Properties{Flags: FlagUserID, UserID: long}, ErrShortstr},
		{Properties{Flags: 2}, ErrFlags},
		{Properties{Flags: moreFlags}, ErrFlags},
	} {
		got, err := AppendContentHeader([]byte("x"), 0, &tc.p)
		if !errors.Is(err, tc.err) || string(got) != "x" {
			t.Errorf("got %q, %v, want %v", got, err, tc.err)
		}
	}
	var p Properties
	err := p.SetHeaderTable(Table{{string(long), Value{}}})
	if !errors.Is(err, ErrShortstr) || p.Flags != 0 {
		t.Errorf("headers: %v", err)
	}
}

func TestPropertiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProperties(t)
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got Properties
		if err := got.Parse(b); err != nil {
			t.Fatal(err)
		}
		again, err := got.Append(nil)
		if err != nil || !bytes.Equal(again, b) || !reflect.DeepEqual(got, p) {
			t.Fatalf("got %+v, %v, want %+v", got, err, p)
		}
	})
}

func drawProperties(t *rapid.T) Properties {
	p := Properties{Flags: rapid.Uint16().Draw(t, "flags") & knownFlags}
	v := reflect.ValueOf(&p).Elem()
	for i := 1; i < v.NumField(); i++ {
		if p.Flags&(1<<(16-i)) == 0 {
			continue
		}
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case name == "Headers":
			if err := p.SetHeaderTable(tables(2).Draw(t, name)); err != nil {
				t.Fatal(err)
			}
		case f.Kind() == reflect.Slice:
			f.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 255).Draw(t, name))
		default:
			f.SetUint(rapid.Uint64Max(1<<f.Type().Bits()-1).Draw(t, name))
		}
	}
	return p
}

func TestAppendBody(t *testing.T) {
	for _, tc := range []struct {
		n        int
		frameMax uint32
		sizes    []int
	}{
		{0, 4096, nil},
		{1, 4096, []int{1}},
		{4088, 4096, []int{4088}},
		{4089, 4096, []int{4088, 1}},
		{8176, 4096, []int{4088, 4088}},
		{5000, 1, []int{4088, 912}}, // a frame_max nobody may negotiate
		{131064, 0, []int{131064}},
		{131065, 0, []int{131064, 1}},
		{200000, math.MaxUint32, []int{200000}},
	} {
		body := bytes.Repeat([]byte{7}, tc.n)
		b := AppendBody(nil, 9, body, tc.frameMax)
		var sizes []int
		for len(b) > 0 {
			f, size, err := ParseFrame(b, math.MaxUint32)
			if err != nil || f.Type != FrameBody || f.Channel != 9 {
				t.Fatalf("%d octets: %v, %v", tc.n, f.Type, err)
			}
			b, sizes = b[size:], append(sizes, len(f.Payload))
		}
		if !reflect.DeepEqual(sizes, tc.sizes) {
			t.Errorf("%d octets in frames of %d: %v, want %v", tc.n, tc.frameMax, sizes, tc.sizes)
		}
	}
}

// Each of the four gives method, header and body frames, and refuses what
// would break the stream.
func TestAppendContent(t *testing.T) {
	body := bytes.Repeat([]byte("b"), 5000)
	header, err := AppendContentHeader(nil, 5000, &Properties{})
	if err != nil {
		t.Fatal(err)
	}
	long := []byte(strings.Repeat("k", 256))
	type appender func(key, body []byte) ([]byte, error)
	for id, add := range map[MethodID]appender{
		IDBasicPublish: func(key, body []byte) ([]byte, error) {
			return AppendPublish([]byte("x"), 3, &BasicPublish{RoutingKey: key}, header, body, 4096)
		},
		IDBasicDeliver: func(key, body []byte) ([]byte, error) {
			return AppendDeliver([]byte("x"), 3, &BasicDeliver{RoutingKey: key}, header, body, 4096)
		},
		IDBasicReturn: func(key, body []byte) ([]byte, error) {
			return AppendReturn([]byte("x"), 3, &BasicReturn{RoutingKey: key}, header, body, 4096)
		},
		IDBasicGetOk: func(key, body []byte) ([]byte, error) {
			return AppendGetOk([]byte("x"), 3, &BasicGetOk{RoutingKey: key}, header, body, 4096)
		},
	} {
		got, err := add([]byte("key"), body)
		if err != nil {
			t.Fatal(err)
		}
		checkContentFrames(t, id, got[1:], header, body)
		if got, err = add(long, body); !errors.Is(err, ErrShortstr) || string(got) != "x" {
			t.Errorf("%s: long key: %q, %v", id, got, err)
		}
		if got, err = add(nil, body[1:]); !errors.Is(err, ErrBodySize) || string(got) != "x" {
			t.Errorf("%s: short body: %q, %v", id, got, err)
		}
	}
}

func checkContentFrames(t *testing.T, id MethodID, b, header, body []byte) {
	t.Helper()
	var all []byte
	for n := 0; len(b) > 0; n++ {
		f, size, err := ParseFrame(b, 4096)
		if err != nil || f.Channel != 3 {
			t.Fatalf("%s: frame %d: %v", id, n, err)
		}
		want := []FrameType{FrameMethod, FrameHeader, FrameBody, FrameBody}[n]
		switch {
		case f.Type != want:
			t.Errorf("%s: frame %d has type %d, want %d", id, n, f.Type, want)
		case n == 0 && PeekMethod(f.Payload) != id:
			t.Errorf("%s: method is %s", id, PeekMethod(f.Payload))
		case n == 1 && !bytes.Equal(f.Payload, header):
			t.Errorf("%s: header is %x", id, f.Payload)
		case n > 1:
			all = append(all, f.Payload...)
		}
		b = b[size:]
	}
	if !bytes.Equal(all, body) {
		t.Errorf("%s: body has %d octets, not %d", id, len(all), len(body))
	}
}

func TestSettle(t *testing.T) {
	for _, tc := range []struct {
		got []byte
		m   Method
	}{
		{AppendAck(nil, 2, 1<<40, true), &BasicAck{1 << 40, true}},
		{AppendAck(nil, 2, 1, false), &BasicAck{1, false}},
		{AppendNack(nil, 2, 3, true, false), &BasicNack{3, true, false}},
		{AppendNack(nil, 2, 3, false, true), &BasicNack{3, false, true}},
		{AppendReject(nil, 2, 4, true), &BasicReject{4, true}},
	} {
		want, err := AppendMethod(nil, 2, tc.m)
		if err != nil || !bytes.Equal(tc.got, want) {
			t.Errorf("%s: got %x, want %x, %v", tc.m.ID(), tc.got, want, err)
		}
	}
}
