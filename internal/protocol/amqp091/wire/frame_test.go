package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseFrame(t *testing.T) {
	body := Frame{FrameBody, 0x0102, []byte("abc")}
	for _, tc := range []struct {
		name, in string
		frame    Frame
		size     int
	}{
		{"nothing", "", Frame{}, 7},
		{"half a head", "\x03\x01\x02", Frame{}, 7},
		{"head", "\x03\x01\x02\x00\x00\x00\x03", Frame{}, 11},
		{"no end yet", "\x03\x01\x02\x00\x00\x00\x03abc", Frame{}, 11},
		{"whole", "\x03\x01\x02\x00\x00\x00\x03abc\xce", body, 11},
		{"whole and more", "\x03\x01\x02\x00\x00\x00\x03abc\xce\xff", body, 11},
		{"heartbeat", "\x08\x00\x00\x00\x00\x00\x00\xce", Frame{FrameHeartbeat, 0, nil}, 8},
		{"empty body", "\x03\x00\x01\x00\x00\x00\x00\xce", Frame{FrameBody, 1, nil}, 8},
	} {
		f, size, err := ParseFrame([]byte(tc.in), 4096)
		if err != nil || size != tc.size || f.Type != tc.frame.Type ||
			f.Channel != tc.frame.Channel || !bytes.Equal(f.Payload, tc.frame.Payload) {
			t.Errorf("%s: got %v, %d, %v", tc.name, f, size, err)
		}
	}
}

func TestParseFrameErrors(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		max      uint32
		err      error
		text     string
	}{
		{"too large, before its payload", "\x01\x00\x01\x00\x00\x10\x01", 4096, ErrFrameTooLarge,
			"FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4097,4088}"},
		{"over the initial limit", "\x01\x00\x00\x00\x00\x20\x01", 0, ErrFrameTooLarge,
			"FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,8193,8184}"},
		{"largest length", "\x01\x00\x00\xff\xff\xff\xff", 1, ErrFrameTooLarge,
			"FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4294967295,0}"},
		{"bad end", "\x03\x00\x01\x00\x00\x00\x01aX", 4096, ErrFrameEnd,
			"FRAME_ERROR - type 3, all octets = <<...>>: {invalid_frame_end_marker,88}"},
		{"bad end of a long one", "\x03\x00\x01\x00\x00\x00\x11" + strings.Repeat("s", 17) + "\x00",
			4096, ErrFrameEnd,
			"FRAME_ERROR - type 3, first 16 octets = <<...>>: {invalid_frame_end_marker,0}"},
		{"unknown type", "\x04\x00\x00\x00\x00\x00\x00", 4096, ErrFrameType,
			"FRAME_ERROR - type 4, all octets = <<>>: unknown_frame"},
		{"heartbeat with a payload", "\x08\x00\x00\x00\x00\x00\x01", 4096, ErrFrameType,
			"FRAME_ERROR - type 8, all octets = <<...>>: unknown_frame"},
		{"method without an id", "\x01\x00\x00\x00\x00\x00\x03", 4096, ErrFrameType,
			"FRAME_ERROR - type 1, all octets = <<...>>: unknown_frame"},
		{"header too short", "\x02\x00\x00\x00\x00\x00\x0d", 4096, ErrFrameType,
			"FRAME_ERROR - type 2, all octets = <<...>>: unknown_frame"},
	} {
		_, _, err := ParseFrame([]byte(tc.in), tc.max)
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, tc.err) || e.Code != FrameError || e.ReplyText() != tc.text {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}

// A client may exceed frame_max by the overhead, as RabbitMQ allows.
func TestFrameSlack(t *testing.T) {
	in := AppendFrame(nil, Frame{FrameBody, 1, make([]byte, 4096)})
	if _, size, err := ParseFrame(in, 4096); err != nil || size != 4104 {
		t.Errorf("payload of frame_max: size %d, %v", size, err)
	}
}

func TestAppendHeartbeat(t *testing.T) {
	if got := AppendHeartbeat(nil); string(got) != "\x08\x00\x00\x00\x00\x00\x00\xce" {
		t.Errorf("got %x", got)
	}
}
