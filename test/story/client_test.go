package story

import (
	"crypto/tls"
	"net/url"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// TestLogin: who may not enter gets RabbitMQ's error. This client does not say
// that it takes an answer to a wrong password (authentication_failure_close),
// so it gets none, and supplies its own words.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := start(t)
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	refused := amqp.ErrCredentials.Reason
	password, _ := main.User.Password()
	for name, c := range map[string]struct {
		user  *url.Userinfo
		vhost string
		code  int
		text  string
	}{
		"wrong password": {url.UserPassword("admin", "Wrong-"+password), "/%2f", 403, refused},
		"no password":    {url.UserPassword("admin", ""), "/%2f", 403, refused},
		"unknown user":   {url.UserPassword("nobody", password), "/%2f", 403, refused},
		"guest":          {url.UserPassword("guest", "guest"), "/%2f", 403, refused},
		"unknown vhost":  {main.User, "/nowhere", 530, "NOT_ALLOWED - vhost nowhere not found"},
	} {
		address := "amqps://" + c.user.String() + "@" + main.Host + c.vhost
		_, err := s.TryDial(address)
		e, ok := err.(*amqp.Error)
		if !ok || e.Code != c.code || e.Reason != c.text {
			t.Errorf("%s: %v, want %d %q", name, err, c.code, c.text)
		}
	}
	log := s.Log()
	if !strings.Contains(log, "sign-in refused") || !strings.Contains(log, "nobody") {
		t.Error("the log does not name who was refused")
	}
}

// TestChannelErrors: what clients compare is RabbitMQ's.
func TestChannelErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	conn := s.Dial(s.Main())
	declare(t, channel(t, conn, false), "q")
	for want, try := range map[string]func(*amqp.Channel) error{
		"404 NOT_FOUND - no queue 'nope' in vhost '/'": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("nope", true, false, false, false, nil)
			return err
		},
		"404 NOT_FOUND - no exchange 'nope' in vhost '/'": func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive("nope", "direct", true, false, false, false, nil)
		},
		"406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': " +
			"received 'false' but current is 'true'": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("q", false, false, false, false, nil)
			return err
		},
		"403 ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'": func(
			ch *amqp.Channel,
		) error {
			return ch.ExchangeDeclare("amq.mine", "direct", true, false, false, false, nil)
		},
	} {
		code, text, _ := strings.Cut(want, " ")
		err := try(channel(t, conn, false))
		if e, ok := err.(*amqp.Error); !ok || e.Reason != text || code != itoa(e.Code) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if conn.IsClosed() {
		t.Error("an error of a channel closed the connection")
	}
}

// TestServerName: a further broker has a port of its own, and is reached on the
// standard port by its name too.
func TestServerName(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b := s.CreateBroker(a, "second", "")
	own := b.Address(t, a)
	ch := channel(t, s.Dial(own), true)
	declare(t, ch, "on-second")
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	named := kit.Address("amqps://"+main.Host, b.User, b.Password)
	if _, err := s.TryDial(named); err == nil {
		t.Error("the standard port without a name lets in users of another broker")
	}
	trust := s.TLS()
	trust.ServerName = b.ID + ".localhost"
	conn, err := amqp.DialTLS(named, trust)
	if err != nil {
		t.Fatalf("by server name: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	if n := depth(t, channel(t, conn, false), "on-second"); n != 0 {
		t.Errorf("%d messages in a new queue", n)
	}
	other := channel(t, s.Dial(s.Main()), false)
	_, err = other.QueueDeclarePassive("on-second", true, false, false, false, nil)
	if err == nil {
		t.Error("broker main has the queue of another")
	}
}

// TestTLSOnly_TLS01_TLS03: no version before 1.2 (TLS-01), and nothing in clear
// (TLS-03).
func TestTLSOnly_TLS01_TLS03(t *testing.T) {
	t.Parallel()
	s := start(t)
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	api, err := url.Parse(s.Env["AWS_ENDPOINT_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{main.Host, api.Host} {
		for version, want := range map[uint16]bool{
			tls.VersionTLS10: false, tls.VersionTLS11: false,
			tls.VersionTLS12: true, tls.VersionTLS13: true,
		} {
			cfg := s.TLS()
			cfg.MinVersion, cfg.MaxVersion = version, version
			conn, err := tls.Dial("tcp", host, cfg)
			if (err == nil) != want {
				t.Errorf("%s with %s: %v", host, tls.VersionName(version), err)
			}
			if err == nil {
				conn.Close()
			}
		}
	}
	if _, err := s.TryDial(strings.Replace(s.Main(), "amqps:", "amqp:", 1)); err == nil {
		t.Error("a client without TLS is let in")
	}
}
