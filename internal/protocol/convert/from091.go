package convert

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"coffer/internal/broker"
	old "coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/amqp10/wire"
)

// encodedType is the property type of a message of AMQP 0-9-1 whose body is encoded
// sections of AMQP 1.0.
const encodedType = "amqp-1.0"

// from091 converts a message of AMQP 0-9-1.
func from091(c broker.Content) (out broker.Content, err error) {
	var p old.Properties
	if err := p.Parse(c.Header); err != nil {
		return out, err
	}
	headers, err := p.HeaderTable()
	if err != nil {
		return out, err
	}
	out.Format = Format10
	out.Header = annotationsOf(headerOf(nil, &p), &p, headers)
	body := propertiesOf(nil, &p)
	body = applicationOf(body, headers)
	if p.Has(old.FlagType) && string(p.Type) == encodedType && encoded(c.Body) {
		out.Body = append(body, c.Body...)
		return out, nil
	}
	body = wire.AppendDescriptor(body, wire.CodeData)
	out.Body = wire.AppendBinary(body, c.Body)
	return out, nil
}

// encoded reports whether a body is sections of AMQP 1.0.
func encoded(body []byte) bool {
	var m wire.Bare
	return m.Parse(body) == nil && m.Sections > 0 && m.Properties == nil && m.Application == nil
}

// headerOf appends the section header.
func headerOf(dst []byte, p *old.Properties) []byte {
	h := wire.Header{Durable: p.Has(old.FlagDeliveryMode) && p.DeliveryMode == 2}
	if p.Has(old.FlagPriority) {
		h.Priority = wire.Some(p.Priority)
	}
	if p.Has(old.FlagExpiration) {
		if n, err := strconv.ParseUint(string(p.Expiration), 10, 32); err == nil {
			h.TTL = wire.Some(uint32(n))
		}
	}
	return h.Append(dst)
}

// annotationsOf appends the message annotations: the headers that begin with x-.
func annotationsOf(dst []byte, p *old.Properties, headers old.Table) []byte {
	from := len(dst)
	dst = wire.AppendDescriptor(dst, wire.CodeMessageAnnotations)
	dst, at := wire.OpenMap(dst)
	count := 0
	for _, f := range headers {
		name := f.Name
		switch {
		case name == "CC" && f.Value.Type() == old.TypeArray:
			name = "x-cc"
		case !isX(name) || !ascii(name):
			continue
		}
		dst = appendValue(wire.AppendSymbol(dst, name), f.Value)
		count++
	}
	if p.Has(old.FlagType) && string(p.Type) != encodedType {
		dst = appendText(wire.AppendSymbol(dst, "x-basic-type"), string(p.Type))
		count++
	}
	if count == 0 {
		return dst[:from]
	}
	return wire.CloseMap(dst, at, count)
}

func isX(name string) bool { return strings.HasPrefix(name, "x-") }

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// propertiesOf appends the section properties, unless it would be empty.
func propertiesOf(dst []byte, p *old.Properties) []byte {
	var q wire.Properties
	if p.Has(old.FlagMessageID) {
		q.MessageID = identifier(p.MessageID)
	}
	if p.Has(old.FlagCorrelationID) {
		q.CorrelationID = identifier(p.CorrelationID)
	}
	if p.Has(old.FlagUserID) {
		q.UserID = p.UserID
	}
	if p.Has(old.FlagReplyTo) && utf8.Valid(p.ReplyTo) {
		q.ReplyTo = wire.AppendString(nil, queueAddress(string(p.ReplyTo)))
	}
	if p.Has(old.FlagContentType) && ascii(string(p.ContentType)) {
		q.ContentType = p.ContentType
	}
	if p.Has(old.FlagContentEncoding) && ascii(string(p.ContentEncoding)) {
		q.ContentEncoding = p.ContentEncoding
	}
	if p.Has(old.FlagTimestamp) && p.Timestamp < 1<<53 {
		q.CreationTime = wire.Some(int64(p.Timestamp) * 1000)
	}
	if p.Has(old.FlagAppID) && utf8.Valid(p.AppID) {
		q.GroupID = p.AppID
	}
	if empty := len((&wire.Properties{}).Append(nil)); len(q.Append(nil)) == empty {
		return dst
	}
	return q.Append(dst)
}

// uuidPrefix begins a UUID that is written as a URN.
const uuidPrefix = "urn:uuid:"

// identifier gives a message id: a UUID, a text or octets.
func identifier(id []byte) wire.Raw {
	if text, ok := strings.CutPrefix(string(id), uuidPrefix); ok {
		b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		if err == nil && len(b) == 16 && len(text) == 36 {
			return wire.AppendUUID(nil, [16]byte(b))
		}
	}
	return appendText(nil, string(id))
}

// queuesPrefix begins the address of a queue in AMQP 1.0.
const queuesPrefix = "/queues/"

// queueAddress gives the address of the queue that answers go to.
func queueAddress(name string) string {
	return queuesPrefix + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

// applicationOf appends the application properties: the other headers, but for lists
// and maps, which may not stand there.
func applicationOf(dst []byte, headers old.Table) []byte {
	from := len(dst)
	dst = wire.AppendDescriptor(dst, wire.CodeApplicationProperties)
	dst, at := wire.OpenMap(dst)
	count := 0
	for _, f := range headers {
		t := f.Value.Type()
		if isX(f.Name) || t == old.TypeArray || t == old.TypeTable || !utf8.ValidString(f.Name) {
			continue
		}
		dst = appendValue(wire.AppendString(dst, f.Name), f.Value)
		count++
	}
	if count == 0 {
		return dst[:from]
	}
	return wire.CloseMap(dst, at, count)
}

// appendText appends a string or, when it is no UTF-8, a binary value.
func appendText(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return wire.AppendString(dst, s)
	}
	return wire.AppendBinary(dst, s)
}

// appendValue appends a value of a field table.
func appendValue(dst []byte, v old.Value) []byte {
	n, _ := v.Int64()
	f, _ := v.Float64()
	switch v.Type() {
	case old.TypeBool:
		b, _ := v.Bool()
		return wire.AppendBool(dst, b)
	case old.TypeInt8:
		return wire.AppendByte(dst, int8(n))
	case old.TypeUint8:
		return wire.AppendUbyte(dst, uint8(n))
	case old.TypeInt16:
		return wire.AppendShort(dst, int16(n))
	case old.TypeUint16:
		return wire.AppendUshort(dst, uint16(n))
	case old.TypeInt32:
		return wire.AppendInt(dst, int32(n))
	case old.TypeUint32:
		return wire.AppendUint(dst, uint32(n))
	case old.TypeInt64, old.TypeInt64Alt:
		return wire.AppendLong(dst, n)
	case old.TypeFloat32:
		return wire.AppendFloat(dst, float32(f))
	case old.TypeFloat64, old.TypeDecimal:
		return wire.AppendDouble(dst, number(v))
	case old.TypeTimestamp:
		t, _ := v.Time()
		return wire.AppendTimestamp(dst, t.UnixMilli())
	case old.TypeString:
		s, _ := v.Text()
		return appendText(dst, s)
	case old.TypeBytes:
		b, _ := v.Bytes()
		return wire.AppendBinary(dst, b)
	case old.TypeArray:
		return appendArray(dst, v)
	case old.TypeTable:
		return appendTable(dst, v)
	}
	return wire.AppendNull(dst)
}

// number gives a float or a decimal.
func number(v old.Value) float64 {
	if scale, unscaled, ok := v.Decimal(); ok {
		text := strconv.FormatInt(int64(int32(unscaled)), 10) + "e-" +
			strconv.FormatUint(uint64(scale), 10)
		f, _ := strconv.ParseFloat(text, 64) // what is too small is 0
		return f
	}
	f, _ := v.Float64()
	return f
}

func appendArray(dst []byte, v old.Value) []byte {
	items, _ := v.Array()
	dst, at := wire.OpenList(dst)
	for _, item := range items {
		dst = appendValue(dst, item)
	}
	return wire.CloseList(dst, at, len(items))
}

func appendTable(dst []byte, v old.Value) []byte {
	fields, _ := v.Table()
	dst, at := wire.OpenMap(dst)
	count := 0
	for _, f := range fields {
		if ascii(f.Name) {
			dst = appendValue(wire.AppendSymbol(dst, f.Name), f.Value)
			count++
		}
	}
	return wire.CloseMap(dst, at, count)
}
