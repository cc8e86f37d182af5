package wire

import "testing"

func TestParseProtocolHeader(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Protocol
	}{
		{"", ProtocolPartial},
		{"A", ProtocolPartial},
		{"AMQP\x00\x00\x09", ProtocolPartial},
		{"AMQP\x00\x00\x09\x01", Protocol091},
		{"AMQP\x00\x00\x09\x01\x01\x00", Protocol091},
		{"AMQP\x00\x01\x00\x00", Protocol10},
		{"AMQP\x02\x01\x00\x00", Protocol10TLS},
		{"AMQP\x03\x01\x00\x00", Protocol10SASL},
		{"AMQP\x01\x01\x00\x09", ProtocolUnknown}, // 0-9
		{"AMQP\x01\x01\x08\x00", ProtocolUnknown}, // 0-8
		{"AMQP\x00\x00\x09\x02", ProtocolUnknown},
		{"GET", ProtocolUnknown},
		{"\x16", ProtocolUnknown}, // a TLS record
	} {
		if got := ParseProtocolHeader([]byte(tc.in)); got != tc.want {
			t.Errorf("%q: got %d, want %d", tc.in, got, tc.want)
		}
	}
	if len(ProtocolHeader) != HeaderSize {
		t.Errorf("ProtocolHeader has %d octets", len(ProtocolHeader))
	}
}
