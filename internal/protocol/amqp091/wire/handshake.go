package wire

// HeaderSize is the length of a protocol header in octets.
const HeaderSize = 8

// Protocol is what a client asked for with the first octets it sent.
type Protocol uint8

// The answers of ParseProtocolHeader.
const (
	ProtocolPartial  Protocol = iota // a prefix of a header: read on, up to HeaderSize octets
	ProtocolUnknown                  // no header this package knows: send ProtocolHeader, close
	Protocol091                      // AMQP 0-9-1: send connection.start
	Protocol10                       // AMQP 1.0 without a security layer (protocol id 0)
	Protocol10TLS                    // AMQP 1.0 that asks for TLS inside the connection (2)
	Protocol10SASL                   // AMQP 1.0 with SASL (3), what its clients normally send
	protocolIDOffset = 4
)

// ProtocolHeader is what a client sends first, and what a server sends before
// it closes when it was asked for anything else (specification 4.2.2).
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// ParseProtocolHeader looks at the first octets of a connection. It decides as
// soon as it can, so that an HTTP request or a TLS hello need not fill eight
// octets to be refused.
func ParseProtocolHeader(b []byte) Protocol {
	b = b[:min(len(b), HeaderSize)]
	if n := min(len(b), protocolIDOffset); string(b[:n]) != ProtocolHeader[:n] {
		return ProtocolUnknown
	}
	if len(b) < HeaderSize {
		return ProtocolPartial
	}
	switch string(b[protocolIDOffset:]) {
	case ProtocolHeader[protocolIDOffset:]:
		return Protocol091
	case "\x00\x01\x00\x00":
		return Protocol10
	case "\x02\x01\x00\x00":
		return Protocol10TLS
	case "\x03\x01\x00\x00":
		return Protocol10SASL
	}
	return ProtocolUnknown
}
