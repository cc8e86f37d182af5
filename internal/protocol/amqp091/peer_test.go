package amqp091

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// peer is a client that sends any frame it is told to.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   input
	dec  wire.Decoder
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
	return &peer{t: t, conn: conn, in: newInput(conn, wire.DefaultFrameMax)}
}

// write sends raw octets.
func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// send sends a method frame.
func (p *peer) send(channel uint16, m wire.Method) {
	p.t.Helper()
	b, err := wire.AppendMethod(nil, channel, m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
}

// frame reads the next frame; io.EOF when the server has closed.
func (p *peer) frame() (wire.Frame, error) {
	for {
		f, ok, err := p.in.next(wire.DefaultFrameMax)
		if ok || err != nil {
			return f, err
		}
		if _, err := p.in.Fill(); err != nil {
			return f, err
		}
	}
}

// method reads the next frame, which must be a method, but for heartbeats.
func (p *peer) method() (uint16, wire.Method) {
	p.t.Helper()
	for {
		f, err := p.frame()
		if err != nil {
			p.t.Fatal(err)
		}
		if f.Type == wire.FrameHeartbeat {
			continue
		}
		m, err := p.dec.Method(f.Payload)
		if err != nil {
			p.t.Fatal(err)
		}
		return f.Channel, m
	}
}

// await reads the next frame, which must be a method of type M.
func await[M wire.Method](p *peer) M {
	p.t.Helper()
	_, m := p.method()
	want, ok := m.(M)
	if !ok {
		p.t.Fatalf("got %s %+v, want %T", m.ID(), m, want)
	}
	return want
}

// ended reads until the server has closed the connection.
func (p *peer) ended() {
	p.t.Helper()
	for {
		_, err := p.frame()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), strings.Contains(err.Error(), "reset by peer"):
			return
		default:
			p.t.Fatal(err)
		}
	}
}

// startOk is a login with all capabilities.
func startOk(user, password string) *wire.ConnectionStartOk {
	yes := wire.BoolValue(true)
	return &wire.ConnectionStartOk{
		Mechanism: "PLAIN", Locale: "en_US",
		Response: wire.Secret("\x00" + user + "\x00" + password),
		ClientProperties: wire.Table{{Name: "capabilities", Value: wire.TableValue(wire.Table{
			{Name: "connection.blocked", Value: yes},
			{Name: "consumer_cancel_notify", Value: yes},
			{Name: "authentication_failure_close", Value: yes},
		})}},
	}
}

// open does the handshake.
func (p *peer) open(vhost string, heartbeat uint16) {
	p.t.Helper()
	p.write([]byte(wire.ProtocolHeader))
	await[*wire.ConnectionStart](p)
	p.send(0, startOk("u", "p"))
	tune := await[*wire.ConnectionTune](p)
	p.send(0, &wire.ConnectionTuneOk{
		ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax, Heartbeat: heartbeat,
	})
	p.send(0, &wire.ConnectionOpen{VirtualHost: vhost})
	await[*wire.ConnectionOpenOk](p)
}

// channel opens a channel.
func (p *peer) channel(number uint16) {
	p.t.Helper()
	p.send(number, &wire.ChannelOpen{})
	await[*wire.ChannelOpenOk](p)
}

// openPeer connects and opens channel 1.
func openPeer(t testing.TB, s *service) *peer {
	t.Helper()
	p := dialPeer(t, s)
	p.open("/", 0)
	p.channel(1)
	return p
}

// publishFrames gives the frames of a message.
func publishFrames(channel uint16, exchange, key, body string, mode uint8) []byte {
	props := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: mode}
	header, err := wire.AppendContentHeader(nil, uint64(len(body)), &props)
	if err == nil {
		var b []byte
		m := wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
		b, err = wire.AppendPublish(nil, channel, &m, header, []byte(body), wire.DefaultFrameMax)
		if err == nil {
			return b
		}
	}
	panic(err)
}
