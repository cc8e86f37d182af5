package wire_test

import (
	"bytes"
	"math"
	"net"
	"reflect"
	"testing"

	"coffer/internal/protocol/amqp091/wire"
)

const serverFrameMax = 8192

// server plays RabbitMQ to one client. It decodes every frame, encodes it again
// and wants the client's octets back.
type server struct {
	t       *testing.T
	conn    net.Conn
	in, out []byte
	publish *wire.BasicPublish
	header  []byte
	body    []byte
	kept    struct{ header, body []byte } // the first message
	settled []wire.Method
}

func (s *server) serve() {
	defer s.conn.Close()
	for wire.ParseProtocolHeader(s.in) == wire.ProtocolPartial {
		if !s.read() {
			return
		}
	}
	if p := wire.ParseProtocolHeader(s.in); p != wire.Protocol091 {
		s.t.Errorf("protocol %d", p)
		return
	}
	s.in = s.in[wire.HeaderSize:]
	s.send(0, startMethod())
	for s.flush() {
		f, size, err := wire.ParseFrame(s.in, serverFrameMax)
		switch {
		case err != nil:
			s.t.Errorf("frame: %v", err)
			return
		case size > len(s.in):
			if !s.read() {
				return
			}
			continue
		}
		s.frame(f, s.in[:size])
		s.in = s.in[size:]
	}
}

func startMethod() *wire.ConnectionStart {
	capabilities := wire.TableValue(wire.Table{
		{Name: "publisher_confirms", Value: wire.BoolValue(true)},
		{Name: "basic.nack", Value: wire.BoolValue(true)},
		{Name: "connection.blocked", Value: wire.BoolValue(true)},
	})
	return &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, Mechanisms: "AMQPLAIN PLAIN", Locales: "en_US",
		ServerProperties: wire.Table{
			{Name: "product", Value: wire.StringValue("Coffer")},
			{Name: "capabilities", Value: capabilities},
		},
	}
}

func (s *server) read() bool {
	buf := make([]byte, 5000) // no multiple of a frame, so that frames arrive in parts
	n, err := s.conn.Read(buf)
	s.in = append(bytes.Clone(s.in), buf[:n]...)
	return err == nil
}

func (s *server) flush() bool {
	if len(s.out) == 0 {
		return true
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err == nil
}

func (s *server) send(channel uint16, m wire.Method) {
	var err error
	if s.out, err = wire.AppendMethod(s.out, channel, m); err != nil {
		s.t.Error(err)
	}
}

func (s *server) frame(f wire.Frame, octets []byte) {
	var again []byte
	switch f.Type {
	case wire.FrameMethod:
		m, err := wire.ParseMethod(f.Payload)
		if err != nil {
			s.t.Error(err)
			return
		}
		if again, err = wire.AppendMethod(nil, f.Channel, m); err != nil {
			s.t.Error(err)
		}
		s.method(f.Channel, m)
	case wire.FrameHeader:
		again = wire.AppendHeader(nil, f.Channel, s.contentHeader(f.Payload))
		s.header, s.body = f.Payload, nil
		s.content(f.Channel)
	case wire.FrameBody:
		again = wire.AppendBody(nil, f.Channel, f.Payload, serverFrameMax)
		s.body = append(s.body, f.Payload...)
		s.content(f.Channel)
	}
	if !bytes.Equal(again, octets) {
		s.t.Errorf("the client sent %x, we would send %x", octets, again)
	}
}

// contentHeader decodes a content header and encodes it again.
func (s *server) contentHeader(payload []byte) []byte {
	h, err := wire.ParseContentHeader(payload)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	var p wire.Properties
	if err := p.Parse(h.Raw); err != nil {
		s.t.Error(err)
	}
	if p.Has(wire.FlagHeaders) {
		s.checkProperties(&p)
	}
	again, err := wire.AppendContentHeader(nil, h.BodySize, &p)
	if err != nil {
		s.t.Error(err)
	}
	return again
}

func (s *server) checkProperties(p *wire.Properties) {
	tab, err := p.HeaderTable()
	if err != nil || len(tab) != len(coderHeaders()) {
		s.t.Errorf("headers %v, %v", tab, err)
	}
	for _, f := range tab {
		if f.Value != coderHeaders()[f.Name] {
			s.t.Errorf("header %s: got %v, want %v", f.Name, f.Value, coderHeaders()[f.Name])
		}
	}
	if p.DeliveryMode != 2 || p.Priority != 9 || string(p.Expiration) != "60000" ||
		string(p.UserID) != "guest" || p.Timestamp != 1700000000 ||
		string(p.ContentType) != "text/plain" || string(p.AppID) != "app" {
		s.t.Errorf("properties %+v", p)
	}
}

// content answers a publish when its body is complete.
func (s *server) content(channel uint16) {
	h, err := wire.ParseContentHeader(s.header)
	if err != nil || h.BodySize != uint64(len(s.body)) {
		return
	}
	if string(s.publish.RoutingKey) != "nowhere" {
		s.kept.header, s.kept.body = s.header, s.body
		s.out = wire.AppendAck(s.out, channel, 1, true)
		return
	}
	m := &wire.BasicReturn{ReplyCode: wire.NoRoute, ReplyText: []byte(wire.NoRoute.String()),
		RoutingKey: s.publish.RoutingKey}
	s.out, err = wire.AppendReturn(s.out, channel, m, s.header, s.body, serverFrameMax)
	if err != nil {
		s.t.Error(err)
	}
	s.out = wire.AppendNack(s.out, channel, 2, false, false)
}

// method answers one method of the client.
func (s *server) method(channel uint16, m wire.Method) {
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		s.startOk(m)
	case *wire.ConnectionTuneOk:
		want := wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: serverFrameMax, Heartbeat: 60}
		if *m != want {
			s.t.Errorf("tune-ok %+v", m)
		}
	case *wire.ConnectionOpen:
		if m.VirtualHost != "/" {
			s.t.Errorf("virtual host %q", m.VirtualHost)
		}
		s.send(0, &wire.ConnectionOpenOk{})
	case *wire.ConnectionUpdateSecret:
		if string(m.NewSecret) != "new" || m.Reason != "expired" {
			s.t.Errorf("update-secret with reason %q", m.Reason)
		}
		s.send(0, &wire.ConnectionUpdateSecretOk{})
	case *wire.ConnectionClose:
		s.send(0, &wire.ConnectionCloseOk{})
	case *wire.ChannelOpen:
		s.send(0, &wire.ConnectionBlocked{Reason: "low on disk"})
		s.send(0, &wire.ConnectionUnblocked{})
		s.send(channel, &wire.ChannelOpenOk{})
	case *wire.BasicPublish:
		s.publish = m
	case *wire.BasicAck, *wire.BasicNack, *wire.BasicReject:
		s.settled = append(s.settled, m)
	case *wire.BasicGet:
		s.get(channel, m)
	case *wire.BasicConsume:
		s.consume(channel, m)
	case *wire.BasicRecover:
		s.recover(channel)
	case *wire.QueueDeclare:
		s.declare(channel, m)
	case *wire.ChannelCloseOk:
	default:
		s.send(channel, s.answer(m))
	}
}

func (s *server) startOk(m *wire.ConnectionStartOk) {
	product, found := m.ClientProperties.Get("product")
	text, isText := product.Text()
	if m.Mechanism != "PLAIN" || m.Locale != "en_US" || !found || !isText || text == "" ||
		string(m.Response) != "\x00guest\x00secret" {
		s.t.Errorf("start-ok %+v", m)
	}
	s.send(0, &wire.ConnectionTune{ChannelMax: 2047, FrameMax: serverFrameMax, Heartbeat: 60})
}

func (s *server) declare(channel uint16, m *wire.QueueDeclare) {
	if m.Passive {
		e := wire.Error{Code: wire.NotFound, Text: "no queue '" + m.Queue + "' in vhost '/'"}
		id := m.ID()
		s.send(channel, &wire.ChannelClose{ReplyCode: e.Code, ReplyText: e.ReplyText(),
			ClassID: id.Class(), MethodID: id.Method()})
		return
	}
	if v, ok := m.Arguments.Get("x-max-length"); !ok || v != wire.Int64Value(10) ||
		!m.Durable || m.AutoDelete || !m.Exclusive || m.NoWait {
		s.t.Errorf("declare %+v", m)
	}
	ok := &wire.QueueDeclareOk{Queue: m.Queue, MessageCount: 3, ConsumerCount: math.MaxUint32}
	s.send(channel, ok)
}

func (s *server) get(channel uint16, m *wire.BasicGet) {
	if m.Queue == "empty" {
		s.send(channel, &wire.BasicGetEmpty{})
		return
	}
	ok := &wire.BasicGetOk{DeliveryTag: 8, Redelivered: true, Exchange: []byte("ex"),
		RoutingKey: []byte("k"), MessageCount: 6}
	var err error
	s.out, err = wire.AppendGetOk(s.out, channel, ok, s.kept.header, s.kept.body, serverFrameMax)
	if err != nil {
		s.t.Error(err)
	}
}

func (s *server) consume(channel uint16, m *wire.BasicConsume) {
	if m.Queue != "q" || !m.Exclusive || m.NoAck || m.NoLocal {
		s.t.Errorf("consume %+v", m)
	}
	s.send(channel, &wire.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
	d := &wire.BasicDeliver{ConsumerTag: []byte(m.ConsumerTag), DeliveryTag: 9,
		Exchange: []byte("ex"), RoutingKey: []byte("k")}
	var err error
	s.out, err = wire.AppendDeliver(s.out, channel, d, s.kept.header, s.kept.body, serverFrameMax)
	if err != nil {
		s.t.Error(err)
	}
}

// recover follows the settlements, so they are all there now.
func (s *server) recover(channel uint16) {
	want := []wire.Method{&wire.BasicAck{DeliveryTag: 9, Multiple: true},
		&wire.BasicNack{DeliveryTag: 9, Multiple: true, Requeue: true},
		&wire.BasicReject{DeliveryTag: 9}}
	if !reflect.DeepEqual(s.settled, want) {
		s.t.Errorf("settled %v", s.settled)
	}
	s.send(channel, &wire.BasicRecoverOk{})
	s.send(channel, &wire.BasicCancel{ConsumerTag: "tag", NoWait: true})
}

// answer gives the plain -ok of a method.
func (s *server) answer(m wire.Method) wire.Method {
	switch m := m.(type) {
	case *wire.ChannelFlow:
		return &wire.ChannelFlowOk{Active: m.Active}
	case *wire.QueuePurge:
		return &wire.QueuePurgeOk{MessageCount: 4}
	case *wire.QueueDelete:
		return &wire.QueueDeleteOk{MessageCount: 5}
	case *wire.BasicCancel:
		return &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag}
	}
	ok := map[wire.MethodID]wire.Method{
		wire.IDExchangeDeclare: &wire.ExchangeDeclareOk{},
		wire.IDExchangeBind:    &wire.ExchangeBindOk{},
		wire.IDExchangeUnbind:  &wire.ExchangeUnbindOk{},
		wire.IDExchangeDelete:  &wire.ExchangeDeleteOk{},
		wire.IDQueueBind:       &wire.QueueBindOk{},
		wire.IDQueueUnbind:     &wire.QueueUnbindOk{},
		wire.IDBasicQos:        &wire.BasicQosOk{},
		wire.IDConfirmSelect:   &wire.ConfirmSelectOk{},
		wire.IDTxSelect:        &wire.TxSelectOk{},
		wire.IDTxCommit:        &wire.TxCommitOk{},
		wire.IDTxRollback:      &wire.TxRollbackOk{},
	}[m.ID()]
	if ok == nil {
		s.t.Errorf("unexpected %s", m.ID())
		return &wire.ConnectionCloseOk{}
	}
	return ok
}
