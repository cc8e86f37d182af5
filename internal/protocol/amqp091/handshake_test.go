package amqp091

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/protocol/amqp091/wire"
)

func TestServerProperties(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{}))
	p.write([]byte(wire.ProtocolHeader))
	start := await[*wire.ConnectionStart](p)
	if start.Mechanisms != "PLAIN AMQPLAIN" || start.Locales != "en_US" ||
		start.VersionMajor != 0 || start.VersionMinor != 9 {
		t.Errorf("%+v", start)
	}
	product, _ := start.ServerProperties.Get("product")
	if text, _ := product.Text(); text != "RabbitMQ" {
		t.Error(text)
	}
	v, _ := start.ServerProperties.Get("capabilities")
	capabilities, _ := v.Table()
	for _, name := range []string{
		"publisher_confirms", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"authentication_failure_close", "per_consumer_qos",
		"exchange_exchange_bindings", "direct_reply_to", "consumer_priorities",
	} {
		if v, _ := capabilities.Get(name); v != wire.BoolValue(true) {
			t.Error(name)
		}
	}
	p.send(0, startOk("u", "p"))
	tune := await[*wire.ConnectionTune](p)
	if *tune != (wire.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}) {
		t.Errorf("%+v", tune)
	}
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	for _, hello := range []string{
		"AMQP\x00\x01\x00\x00", "AMQP\x03\x01\x00\x00", "AMQP\x01\x01\x00\x09",
		"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
	} {
		p := dialPeer(t, s)
		p.write([]byte(hello))
		got, err := io.ReadAll(p.conn)
		if string(got) != wire.ProtocolHeader || err != nil {
			t.Errorf("%q: %q, %v", hello, got, err)
		}
	}
}

func TestLogins(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	for _, tt := range []struct {
		user, password, vhost string
		code                  int
		text                  string
	}{
		{"u", "p", "/", 0, ""},
		{"u", "wrong", "/", 403, "ACCESS_REFUSED - Login was refused using authentication " +
			"mechanism PLAIN. For details see the broker logfile."},
		{"busy", "p", "/", 406, "PRECONDITION_FAILED - too many logins"},
		{"u", "p", "none", 530, "NOT_ALLOWED - vhost none not found"},
		{"u", "p", "secret", 530, "NOT_ALLOWED - access to vhost 'secret' refused for user 'u'"},
	} {
		p := dialPeer(t, s)
		p.write([]byte(wire.ProtocolHeader))
		await[*wire.ConnectionStart](p)
		p.send(0, startOk(tt.user, tt.password))
		_, m := p.method()
		if _, ok := m.(*wire.ConnectionTune); ok {
			p.send(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
			p.send(0, &wire.ConnectionOpen{VirtualHost: tt.vhost})
			_, m = p.method()
		}
		got, _ := m.(*wire.ConnectionClose)
		if got == nil {
			got = &wire.ConnectionClose{}
			if m.ID() != wire.IDConnectionOpenOk {
				t.Error(m.ID())
			}
		}
		if int(got.ReplyCode) != tt.code || got.ReplyText != tt.text {
			t.Errorf("%+v: %+v", tt, got)
		}
		if tt.code != 0 {
			p.send(0, &wire.ConnectionCloseOk{})
			p.ended()
		}
	}
}

// TestOldClientsSeeTheEnd: without the capability a refused login has no answer.
func TestOldClientsSeeTheEnd(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{}))
	p.write([]byte(wire.ProtocolHeader))
	await[*wire.ConnectionStart](p)
	m := startOk("u", "wrong")
	m.ClientProperties = nil
	p.send(0, m)
	if f, err := p.frame(); !errors.Is(err, io.EOF) {
		t.Error(f, err)
	}
}

func TestAMQPlainAndUpdateSecret(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c, err := amqp.DialConfig("amqp://"+s.addr, amqp.Config{
		SASL: []amqp.Authentication{&amqp.AMQPlainAuth{Username: "u", Password: "p"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.UpdateSecret("p", "rotation"); err != nil {
		t.Error(err)
	}
	const want = "New secret was refused by one of the backends"
	if err := c.UpdateSecret("old", "rotation"); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

func TestTuning(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	for _, tt := range []struct {
		ok   wire.ConnectionTuneOk
		text string
	}{
		{wire.ConnectionTuneOk{ChannelMax: 9, FrameMax: 100}, "negotiated frame_max = 100 " +
			"is lower than the minimum allowed value (4096)"},
		{wire.ConnectionTuneOk{ChannelMax: 9}, "negotiated frame_max = 0 (no limit) " +
			"is higher than the maximum allowed value (131072)"},
		{wire.ConnectionTuneOk{ChannelMax: 0, FrameMax: 4096}, "negotiated channel_max = 0 " +
			"(no limit) is higher than the maximum allowed value (2047)"},
		{wire.ConnectionTuneOk{ChannelMax: 2048, FrameMax: 4096}, "negotiated channel_max = " +
			"2048 is higher than the maximum allowed value (2047)"},
	} {
		p := dialPeer(t, s)
		p.write([]byte(wire.ProtocolHeader))
		await[*wire.ConnectionStart](p)
		p.send(0, startOk("u", "p"))
		await[*wire.ConnectionTune](p)
		p.send(0, &tt.ok)
		m := await[*wire.ConnectionClose](p)
		if m.ReplyCode != wire.NotAllowed || m.ReplyText != "NOT_ALLOWED - "+tt.text {
			t.Errorf("%+v: %+v", tt.ok, m)
		}
	}
}

func TestChannelMax(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{ChannelMax: 2}))
	p.open("/", 0)
	p.channel(7)
	p.channel(65535)
	p.send(1, &wire.ChannelOpen{})
	m := await[*wire.ConnectionClose](p)
	const want = "NOT_ALLOWED - number of channels opened (2) has reached the negotiated " +
		"channel_max (2)"
	if m.ReplyText != want {
		t.Errorf("%+v", m)
	}
}

// TestHeartbeats: a silent client hears from the server and is given up after
// two intervals.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	p := dialPeer(t, serveTest(t, newEngine(t), Config{}))
	begin, beats := time.Now(), 0 // the client's silence begins later
	p.open("/", 1)
	for {
		f, err := p.frame()
		if err != nil {
			break
		}
		if f.Type == wire.FrameHeartbeat && f.Channel == 0 {
			beats++
		}
	}
	took := time.Since(begin)
	if took < 1900*time.Millisecond || took > patience/2 || beats == 0 {
		t.Errorf("given up after %v and %d heartbeats", took, beats)
	}
}

func TestSlowHandshakeIsEnded(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{HandshakeTimeout: 50 * time.Millisecond})
	for _, hello := range []string{"", "AMQP", wire.ProtocolHeader} {
		p := dialPeer(t, s)
		p.write([]byte(hello))
		p.ended()
	}
}

func TestConfigBounds(t *testing.T) {
	t.Parallel()
	e := &testEngine{}
	for _, cfg := range []Config{
		{}, {Engine: e, FrameMax: 100}, {Engine: e, Heartbeat: time.Millisecond},
		{Engine: e, MaxMessage: 1 << 30},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
