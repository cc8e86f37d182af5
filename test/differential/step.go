package differential

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// step is one thing that a client does. The zero fields mean nothing.
type step struct {
	conn    byte   // which connection: 'A' or 'B'
	channel uint16 // 0 of methods of the connection
	method  wire.Method
	props   *wire.Properties // of a message
	body    string
	settle  string // whose delivery is settled: a consumer's tag, or "get"
	back    int    // how many deliveries before the last that is
	raw     []byte // what is sent in the place of all that
	what    string // says what raw is
	cut     bool   // the socket is closed
}

// String is the line of a script.
func (s step) String() string {
	at := fmt.Sprintf("%c/%d ", s.conn, s.channel)
	switch {
	case s.cut:
		return fmt.Sprintf("%c closes its socket", s.conn)
	case s.raw != nil:
		return at + "sends " + s.what
	case s.settle != "":
		return fmt.Sprintf("%s%s of %s, %d before its last",
			at, describe(s.method), s.settle, s.back)
	case s.props != nil:
		return fmt.Sprintf("%s%s: %s %s", at, describe(s.method), cut(s.body), properties(s.props))
	}
	return at + describe(s.method)
}

// cut shows a body.
func cut(body string) string {
	if len(body) > 80 {
		return fmt.Sprintf("%q… (%d)", body[:40], len(body))
	}
	return strconv.Quote(body)
}

// Words in names that stand for what the brokers chose.
const (
	generated = "{gen}"   // the last name that a broker gave a queue
	replyName = "{reply}" // the last name for answers that was seen in a message
)

// names replaces those words in the texts of a method or of properties, of which it
// gives a copy.
func (s *side) names(m any) any {
	from := reflect.ValueOf(m).Elem()
	to := reflect.New(from.Type())
	to.Elem().Set(from)
	for i := range from.NumField() {
		switch f := to.Elem().Field(i); v := f.Interface().(type) {
		case string:
			f.SetString(s.name(v))
		case []byte:
			f.SetBytes([]byte(s.name(string(v))))
		}
	}
	return to.Interface()
}

func (s *side) name(text string) string {
	last := "amq.gen-none"
	if n := len(s.generated); n > 0 {
		last = s.generated[n-1]
	}
	return strings.NewReplacer(generated, last, replyName, s.reply).Replace(text)
}

// encode gives the frames of a step as this side gets them.
func (s *side) encode(st *step) []byte {
	if st.raw != nil {
		return st.raw
	}
	m := s.names(st.method).(wire.Method)
	if st.settle != "" {
		tag := s.tagOf(st)
		v := reflect.ValueOf(m).Elem()
		v.FieldByName("DeliveryTag").SetUint(tag)
		multiple := v.FieldByName("Multiple")
		s.links[st.conn].channels[st.channel].settled(tag, multiple.IsValid() && multiple.Bool())
	}
	publish, ok := m.(*wire.BasicPublish)
	if !ok || st.props == nil {
		return method(st.channel, m)
	}
	p := s.names(st.props).(*wire.Properties)
	header, err := wire.AppendContentHeader(nil, uint64(len(st.body)), p)
	if err == nil {
		header, err = wire.AppendPublish(nil, st.channel, publish, bytes.Clone(header),
			[]byte(st.body), wire.DefaultFrameMax)
	}
	if err != nil {
		panic(fmt.Sprint("differential: a message cannot be encoded: ", err))
	}
	return header
}
