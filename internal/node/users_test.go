package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// longEnough bounds the wait for an event under any load.
const longEnough = 2 * time.Minute

// tenant is a world whose broker is managed over HTTPS and used over AMQP.
type tenant struct {
	*world
	to       *console
	password string // of admin
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	return newTenantWith(t, nil)
}

func newTenantWith(t *testing.T, change func(*Config)) *tenant {
	t.Helper()
	w := newWorld(t, change)
	return &tenant{w, w.console(), strings.TrimSpace(w.file(fileMainAdmin))}
}

// api asks the management API as the administrator, and must be answered well.
func (w *tenant) api(method, path, body string) {
	w.t.Helper()
	code, text := w.to.ask(w.password, method, "https://localhost/api/"+path, body)
	if code >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
}

// dial enters a virtual host.
func (w *tenant) dial(user, password, vhost string) (*amqp.Connection, error) {
	c, err := amqp.DialConfig(fmt.Sprintf("amqps://localhost:%d", w.endpoints().AMQP), amqp.Config{
		Vhost: vhost, SASL: []amqp.Authentication{
			&amqp.PlainAuth{Username: user, Password: password},
		},
		TLSClientConfig: &tls.Config{RootCAs: w.roots()},
	})
	if err == nil {
		w.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func (w *tenant) channel(c *amqp.Connection) *amqp.Channel {
	w.t.Helper()
	ch, err := c.Channel()
	must(w.t, err)
	return ch
}

// toldWhy checks a refusal.
func toldWhy(t testing.TB, err error, code int, text string) {
	t.Helper()
	x, ok := errors.AsType[*amqp.Error](err)
	if !ok || x.Code != code || x.Reason != text {
		t.Errorf("%v, want %d %s", err, code, text)
	}
}

// closing waits for the end of a connection and gives its reason.
func closing(t *testing.T, gone <-chan *amqp.Error) error {
	t.Helper()
	select {
	case err := <-gone:
		return err
	case <-time.After(longEnough):
		t.Fatal("the connection stays")
	}
	return nil
}

// TestTenants: what an administrator changes counts at once for clients that are there.
func TestTenants(t *testing.T) {
	t.Parallel()
	w := newTenant(t)
	everything := `{"configure":".*","write":".*","read":".*"}`
	w.api("PUT", "vhosts/shop", `{"default_queue_type":"quorum"}`)
	w.api("PUT", "users/ann", `{"password":"secret","tags":""}`)
	_, err := w.dial("ann", "secret", "shop")
	toldWhy(t, err, amqp.NotAllowed, "NOT_ALLOWED - access to vhost 'shop' refused for user 'ann'")
	w.api("PUT", "permissions/shop/ann", everything)
	c, err := w.dial("ann", "secret", "shop")
	must(t, err)
	ch := w.channel(c)
	_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	must(t, err)
	_, err = ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	must(t, err)

	w.api("PUT", "policies/shop/short",
		`{"pattern":"^q","definition":{"max-length":1,"overflow":"reject-publish"}}`)
	must(t, ch.Confirm(false))
	for i, want := range []bool{true, false} {
		d, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{})
		must(t, err)
		if ok, err := d.WaitContext(t.Context()); ok != want || err != nil {
			t.Errorf("message %d: %v %v", i, ok, err)
		}
	}

	w.api("PUT", "permissions/shop/ann", `{"configure":"","write":"^q","read":"^q"}`)
	_, err = ch.QueueDeclare("p", true, false, false, false, nil)
	toldWhy(t, err, amqp.AccessRefused,
		"ACCESS_REFUSED - configure access to queue 'p' in vhost 'shop' refused for user 'ann'")

	w.api("PUT", "vhost-limits/shop/max-connections", `{"value":1}`)
	_, err = w.dial("ann", "secret", "shop")
	toldWhy(t, err, amqp.NotAllowed, "NOT_ALLOWED - access to vhost 'shop' refused for user "+
		"'ann': connection limit (1) is reached")
	w.api("DELETE", "vhost-limits/shop/max-connections", "")

	w.api("PUT", "users/ann", `{"password":"changed","tags":""}`)
	if _, err := w.dial("ann", "secret", "shop"); err == nil {
		t.Error("the old password signs in")
	}
	gone := c.NotifyClose(make(chan *amqp.Error, 1))
	w.api("DELETE", "users/ann", "")
	toldWhy(t, closing(t, gone), amqp.ConnectionForced, "CONNECTION_FORCED - user 'ann' is deleted")
	if _, err := w.dial("ann", "changed", "shop"); err == nil {
		t.Error("a deleted user signs in")
	}
}

// TestVhostDeleted: the clients of a virtual host that goes are told, those of others
// stay, and one of the same name later is another one; all also after a restart.
func TestVhostDeleted(t *testing.T) {
	t.Parallel()
	w := newTenant(t)
	everything := `{"configure":".*","write":".*","read":".*"}`
	w.api("PUT", "vhosts/shop", `{}`)
	w.api("PUT", "permissions/shop/admin", everything)
	c, err := w.dial("admin", w.password, "shop")
	must(t, err)
	stays, err := w.dial("admin", w.password, "/")
	must(t, err)
	ch := w.channel(c)
	_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	must(t, err)
	must(t, ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Body: []byte("m")}))
	gone := c.NotifyClose(make(chan *amqp.Error, 1))
	w.api("DELETE", "vhosts/shop", "")
	toldWhy(t, closing(t, gone), amqp.ConnectionForced,
		"CONNECTION_FORCED - vhost 'shop' is deleted")
	_, err = w.dial("admin", w.password, "shop")
	toldWhy(t, err, amqp.NotAllowed, "NOT_ALLOWED - vhost shop not found")
	_, err = w.channel(stays).QueueDeclare("other", true, false, false, false, nil)
	must(t, err)
	w.api("PUT", "vhosts/shop", `{}`)
	w.api("DELETE", "permissions/shop/admin", "") // which its maker was given
	for range 2 {
		_, err = w.dial("admin", w.password, "shop")
		toldWhy(t, err, amqp.NotAllowed,
			"NOT_ALLOWED - access to vhost 'shop' refused for user 'admin'")
		w.api("PUT", "permissions/shop/admin", everything)
		again, err := w.dial("admin", w.password, "shop")
		must(t, err)
		_, err = w.channel(again).QueueDeclarePassive("q", true, false, false, false, nil)
		toldWhy(t, err, amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost 'shop'")
		w.api("DELETE", "permissions/shop/admin", "")
		w.stop()
		w.start()
		w.to = w.console()
	}
}
