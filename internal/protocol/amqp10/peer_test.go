package amqp10

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"coffer/internal/protocol/amqp10/wire"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// peer is a client that sends any frame it is told to.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   input
}

// dialPeer connects without a word.
func dialPeer(t testing.TB, s *service) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, in: newInput(conn, defaultFrameMax)}
}

// write sends raw octets.
func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// frameOf encodes a frame.
func frameOf(t wire.FrameType, channel uint16, m performative, payload string) []byte {
	b, at := wire.OpenFrame(nil, t, channel)
	return wire.CloseFrame(append(m.Append(b), payload...), at)
}

// send sends a frame.
func (p *peer) send(channel uint16, m performative) {
	p.t.Helper()
	p.write(frameOf(wire.FrameAMQP, channel, m, ""))
}

// header reads a protocol header.
func (p *peer) header() wire.Protocol {
	p.t.Helper()
	for {
		if h := p.in.header(); h != wire.ProtocolPartial {
			return h
		}
		if _, err := p.in.Fill(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// frame reads the next frame with a body; io.EOF when the server has closed.
func (p *peer) frame() (channel uint16, m wire.Performative, err error) {
	for {
		f, ok, err := p.in.next(defaultFrameMax)
		switch {
		case err != nil:
			return 0, m, err
		case ok && len(f.Body) > 0:
			m, err = wire.ParsePerformative(f.Body)
			return f.Channel, m, err
		case ok:
			continue
		}
		if _, err := p.in.Fill(); err != nil {
			return 0, m, err
		}
	}
}

// parser is a performative that is received.
type parser interface{ Parse(list wire.Raw) error }

// await reads frames up to one with that code and gives its payload.
func (p *peer) await(code wire.Code, m parser) []byte {
	p.t.Helper()
	for {
		_, f, err := p.frame()
		if err != nil {
			p.t.Fatalf("waiting for %v: %v", code, err)
		}
		if f.Code != code {
			switch f.Code {
			case wire.CodeEnd, wire.CodeClose, wire.CodeDetach:
				p.t.Fatalf("got %s, want %v", show(f), code)
			}
			continue
		}
		if err := m.Parse(f.Fields); err != nil {
			p.t.Fatal(err)
		}
		return f.Payload
	}
}

// show gives a frame that ends something in words.
func show(f wire.Performative) string {
	var e wire.Raw
	switch f.Code {
	case wire.CodeEnd:
		var m wire.End
		m.Parse(f.Fields)
		e = m.Error
	case wire.CodeClose:
		var m wire.Close
		m.Parse(f.Fields)
		e = m.Error
	case wire.CodeDetach:
		var m wire.Detach
		m.Parse(f.Fields)
		e = m.Error
	case wire.CodeDisposition:
		var m wire.Disposition
		m.Parse(f.Fields)
		return "disposition " + showState(m.State)
	default:
		return f.Code.String()
	}
	return strings.TrimSpace(f.Code.String() + " " + showError(e))
}

// showState gives an outcome in words.
func showState(v wire.Raw) string {
	code, list, _ := v.Described()
	if code != wire.CodeRejected {
		return code.String()
	}
	var r wire.Rejected
	r.Parse(list)
	return "rejected " + showError(r.Error)
}

func showError(v wire.Raw) string {
	var x wire.Error
	if _, list, ok := v.Described(); !ok || x.Parse(list) != nil {
		return ""
	}
	return fmt.Sprintf("%s %s", x.Condition, x.Description)
}

// outcome reads frames up to one that ends something or decides a message.
func (p *peer) outcome() string {
	for {
		_, f, err := p.frame()
		switch {
		case errors.Is(err, io.EOF), err != nil && strings.Contains(err.Error(), "reset by peer"):
			return "eof"
		case err != nil:
			return err.Error()
		}
		switch f.Code {
		case wire.CodeEnd, wire.CodeClose, wire.CodeDetach, wire.CodeDisposition,
			wire.CodeSASLOutcome:
			return show(f)
		}
	}
}

// login does the handshake up to the header of AMQP.
func (p *peer) login() {
	p.t.Helper()
	p.write([]byte(wire.HeaderSASL))
	if h := p.header(); h != wire.ProtocolSASL {
		p.t.Fatalf("header %d", h)
	}
	p.await(wire.CodeSASLMechanisms, &wire.SASLMechanisms{})
	p.write(frameOf(wire.FrameSASL, 0, plainInit("u", "p"), ""))
	var o wire.SASLOutcome
	if p.await(wire.CodeSASLOutcome, &o); o.Code != wire.SASLCodeOk {
		p.t.Fatalf("login: %d", o.Code)
	}
	p.write([]byte(wire.HeaderAMQP))
	if h := p.header(); h != wire.ProtocolAMQP {
		p.t.Fatalf("header %d", h)
	}
}

func plainInit(user, password string) *wire.SASLInit {
	return &wire.SASLInit{
		Mechanism:       []byte(mechanismPlain),
		InitialResponse: []byte("\x00" + user + "\x00" + password),
	}
}

// open does the whole handshake.
func (p *peer) open() {
	p.t.Helper()
	p.login()
	p.send(0, &wire.Open{ContainerID: []byte("c"), MaxFrameSize: 1 << 20, ChannelMax: 100})
	p.await(wire.CodeOpen, &wire.Open{})
}

// begin begins a session with a window of frames.
func (p *peer) begin(channel uint16, window uint32) {
	p.t.Helper()
	p.send(channel, &wire.Begin{IncomingWindow: window, OutgoingWindow: 1 << 20, HandleMax: 100})
	p.await(wire.CodeBegin, &wire.Begin{})
}

// openPeer connects and begins session 0.
func openPeer(t testing.TB, s *service) *peer {
	t.Helper()
	p := dialPeer(t, s)
	p.open()
	p.begin(0, 1<<20)
	return p
}

func text(s string) wire.Raw { return wire.AppendString(nil, s) }

// sender is the attach of a link that sends to an address; "": anonymous.
func sender(handle uint32, address string) *wire.Attach {
	var t wire.Target
	if address != "" {
		t.Address = text(address)
	}
	return &wire.Attach{
		Name: fmt.Appendf(nil, "l%d", handle), Handle: handle, Role: wire.RoleSender,
		SndSettleMode: wire.SenderSettleModeMixed, Target: t.Append(nil),
		Source: (&wire.Source{}).Append(nil), InitialDeliveryCount: wire.Some(uint32(0)),
	}
}

// receiver is the attach of a link that receives from an address.
func receiver(handle uint32, address string) *wire.Attach {
	s := wire.Source{Address: text(address)}
	return &wire.Attach{
		Name: fmt.Appendf(nil, "l%d", handle), Handle: handle, Role: wire.RoleReceiver,
		SndSettleMode: wire.SenderSettleModeMixed, Source: s.Append(nil),
		Target: (&wire.Target{}).Append(nil),
	}
}

// attach begins a link of session 0. A sender waits for credit.
func (p *peer) attach(m *wire.Attach) (reply wire.Attach) {
	p.t.Helper()
	p.send(0, m)
	p.await(wire.CodeAttach, &reply)
	if m.Role == wire.RoleSender {
		p.await(wire.CodeFlow, &wire.Flow{})
	}
	return reply
}

// credit gives a link of session 0 credit.
func (p *peer) credit(handle, count, credit uint32, drain bool) {
	p.t.Helper()
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some(uint32(0)), IncomingWindow: 1 << 20,
		OutgoingWindow: 1 << 20, Handle: wire.Some(handle), DeliveryCount: wire.Some(count),
		LinkCredit: wire.Some(credit), Drain: drain,
	})
}

// data is an encoded message of one data section.
func data(body string) string {
	return string(wire.AppendBinary(wire.AppendDescriptor(nil, wire.CodeData), body))
}

// transfer sends a message on session 0.
func (p *peer) transfer(handle, id uint32, settled bool, message string) {
	p.t.Helper()
	p.write(frameOf(wire.FrameAMQP, 0, &wire.Transfer{
		Handle: handle, DeliveryID: wire.Some(id), Settled: settled,
		DeliveryTag: fmt.Appendf(nil, "%d", id),
	}, message))
}

// settle tells the outcome of deliveries of session 0.
func (p *peer) settle(first, last uint32, settled bool, state performative) {
	p.t.Helper()
	p.send(0, &wire.Disposition{
		Role: wire.RoleReceiver, First: first, Last: wire.Some(last), Settled: settled,
		State: state.Append(nil),
	})
}

// received is a message that came.
type received struct {
	wire.Transfer
	message wire.Message
	header  wire.Header
	body    string
}

// receive reads the next message of one frame.
func (p *peer) receive() (r received) {
	p.t.Helper()
	payload := p.await(wire.CodeTransfer, &r.Transfer)
	if err := r.message.Parse(append([]byte(nil), payload...)); err != nil {
		p.t.Fatal(err)
	}
	if r.message.Header != nil {
		if err := r.header.Parse(r.message.Header); err != nil {
			p.t.Fatal(err)
		}
	}
	r.message.Bare.EachData(func(b []byte) { r.body += string(b) })
	return r
}
