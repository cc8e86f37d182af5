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

// maxShort bounds a short string of AMQP 0-9-1 in octets.
const maxShort = 255

// from10 converts a message of AMQP 1.0.
func from10(c broker.Content) (out broker.Content, err error) {
	var m wire.Message
	if err := m.Parse(c.Header); err != nil {
		return out, err
	}
	if err := m.Bare.Parse(c.Body); err != nil {
		return out, err
	}
	x := oldMessage{}
	if err := x.header(&m); err != nil {
		return out, err
	}
	x.annotations(m.Annotations)
	x.application(m.Bare.Application)
	if err := x.properties(m.Bare.Properties); err != nil {
		return out, err
	}
	out.Format, out.Body = Format091, x.body(&m.Bare)
	if len(x.headers) > 0 && x.p.SetHeaderTable(x.headers) != nil {
		x.p.Flags &^= old.FlagHeaders // no value of depth or size beyond bounds gets here
	}
	out.Header, err = x.p.Append(nil)
	return out, err
}

// oldMessage is a message of AMQP 0-9-1 on its way.
type oldMessage struct {
	p       old.Properties
	headers old.Table
}

func (x *oldMessage) add(name string, v old.Value) {
	if len(name) <= maxShort {
		x.headers = append(x.headers, old.Field{Name: name, Value: v})
	}
}

// set makes a short string a property, if it is one.
func (x *oldMessage) set(flag uint16, field *[]byte, b []byte) bool {
	if b == nil || len(b) > maxShort {
		return false
	}
	*field = b
	x.p.Flags |= flag
	return true
}

// header takes the section header over; without one a message is persistent.
func (x *oldMessage) header(m *wire.Message) error {
	h := wire.Header{Durable: true}
	if m.Header != nil {
		if err := h.Parse(m.Header); err != nil {
			return err
		}
	}
	x.p.Flags |= old.FlagDeliveryMode
	if x.p.DeliveryMode = 1; h.Durable {
		x.p.DeliveryMode = 2
	}
	if h.Priority.Set {
		x.p.Flags, x.p.Priority = x.p.Flags|old.FlagPriority, h.Priority.Value
	}
	if h.TTL.Set {
		x.set(old.FlagExpiration, &x.p.Expiration, strconv.AppendUint(nil, uint64(h.TTL.Value), 10))
	}
	return nil
}

// annotations makes headers of the message annotations that begin with x-.
func (x *oldMessage) annotations(annotations wire.Raw) {
	annotations.Pairs(func(key, value wire.Raw) bool {
		symbol, _ := key.Symbol()
		name := string(symbol)
		switch {
		case name == "x-basic-type":
			text, _ := value.Word()
			x.set(old.FlagType, &x.p.Type, text)
		case name == "x-cc":
			x.value("CC", value)
		case isX(name) && name != "x-opt-deaths":
			x.value(name, value)
		}
		return true
	})
}

// application makes headers of the application properties.
func (x *oldMessage) application(properties wire.Raw) {
	properties.Pairs(func(key, value wire.Raw) bool {
		if name, ok := key.Text(); ok {
			x.value(string(name), value)
		}
		return true
	})
}

func (x *oldMessage) value(name string, raw wire.Raw) {
	if v, ok := valueOf(raw, old.MaxTableDepth); ok {
		x.add(name, v)
	}
}

// properties takes the section properties over.
func (x *oldMessage) properties(list wire.Raw) error {
	if list == nil {
		return nil
	}
	var q wire.Properties
	if err := q.Parse(list); err != nil {
		return err
	}
	p := &x.p
	x.identifier(q.MessageID, old.FlagMessageID, &p.MessageID, "x-message-id")
	x.identifier(q.CorrelationID, old.FlagCorrelationID, &p.CorrelationID, "x-correlation-id")
	if utf8.Valid(q.UserID) {
		x.set(old.FlagUserID, &p.UserID, q.UserID)
	}
	if text, ok := q.ReplyTo.Text(); ok {
		x.set(old.FlagReplyTo, &p.ReplyTo, []byte(queueOf(string(text))))
	}
	x.set(old.FlagContentType, &p.ContentType, q.ContentType)
	x.set(old.FlagContentEncoding, &p.ContentEncoding, q.ContentEncoding)
	x.set(old.FlagAppID, &p.AppID, q.GroupID)
	if q.CreationTime.Set && q.CreationTime.Value >= 0 {
		p.Flags, p.Timestamp = p.Flags|old.FlagTimestamp, uint64(q.CreationTime.Value)/1000
	}
	return nil
}

// queueOf gives the name in the address of a queue; any other address stays.
func queueOf(address string) string {
	if name, ok := strings.CutPrefix(address, queuesPrefix); ok {
		if name, err := url.PathUnescape(name); err == nil {
			return name
		}
	}
	return address
}

// identifier takes a message id over. One that does not fit becomes a header.
func (x *oldMessage) identifier(id wire.Raw, flag uint16, field *[]byte, header string) {
	if u, ok := id.UUID(); ok {
		h := hex.EncodeToString(u)
		text := uuidPrefix + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
		x.set(flag, field, []byte(text))
	} else if n, ok := id.Ulong(); ok {
		x.set(flag, field, strconv.AppendUint(nil, n, 10))
	} else if b, ok := id.Binary(); ok {
		x.add(header, old.BytesValue(b))
	} else if text, ok := id.Text(); ok && !x.set(flag, field, text) {
		x.add(header, old.StringValue(string(text)))
	}
}

// body gives the octets of data sections; others stay encoded, and the type says so.
func (x *oldMessage) body(m *wire.Bare) []byte {
	if m.Kind == wire.CodeData || m.Sections == 0 {
		var body []byte
		m.EachData(func(data []byte) {
			if m.Sections == 1 {
				body = data
			} else {
				body = append(body, data...)
			}
		})
		return body
	}
	x.set(old.FlagType, &x.p.Type, []byte(encodedType))
	return m.Body
}

// valueOf gives a value of a field table; ok is false for what has no form there.
func valueOf(v wire.Raw, depth int) (_ old.Value, ok bool) {
	if depth == 0 {
		return old.Value{}, false
	}
	if v.IsNull() {
		return old.Value{}, true
	}
	if b, ok := v.Bool(); ok {
		return old.BoolValue(b), true
	}
	if n, ok := v.Integer(); ok {
		return integerOf(v, n), true
	}
	if t, ok := v.Timestamp(); ok && t >= 0 {
		return old.TimestampValue(uint64(t) / 1000), true
	}
	if f, ok := v.Float(); ok {
		if len(v) == 5 {
			return old.Float32Value(float32(f)), true
		}
		return old.Float64Value(f), true
	}
	if text, ok := v.Word(); ok {
		return old.StringValue(string(text)), true
	}
	if b, ok := v.Binary(); ok {
		return old.StringValue(string(b)), true
	}
	if u, ok := v.UUID(); ok {
		return old.BytesValue(u), true
	}
	return compoundOf(v, depth)
}

// integerOf gives a number with the width and the sign that it has.
func integerOf(v wire.Raw, n int64) old.Value {
	switch v.Width() {
	case 1:
		if v.IsSigned() {
			return old.Int8Value(int8(n))
		}
		return old.Uint8Value(uint8(n))
	case 2:
		if v.IsSigned() {
			return old.Int16Value(int16(n))
		}
		return old.Uint16Value(uint16(n))
	case 4:
		if v.IsSigned() {
			return old.Int32Value(int32(n))
		}
		return old.Uint32Value(uint32(n))
	}
	return old.Int64Value(n)
}

// compoundOf gives lists, arrays and maps.
func compoundOf(v wire.Raw, depth int) (old.Value, bool) {
	switch {
	case v.IsMap():
		var t old.Table
		v.Pairs(func(key, value wire.Raw) bool {
			name, isWord := key.Word()
			w, ok := valueOf(value, depth-1)
			if isWord && ok && len(name) <= maxShort {
				t = append(t, old.Field{Name: string(name), Value: w})
			}
			return true
		})
		return old.TableValue(t), true
	case v.IsList(), v.IsArray():
		var items []old.Value
		v.Elements(func(e wire.Raw) bool {
			if w, ok := valueOf(e, depth-1); ok {
				items = append(items, w)
			}
			return true
		})
		return old.ArrayValue(items...), true
	}
	return old.Value{}, false
}
