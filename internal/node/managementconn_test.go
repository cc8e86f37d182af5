package node

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// as sends a request to broker main as any user.
func (c *console) as(user, method, path string, header http.Header) (int, string) {
	c.w.t.Helper()
	r, err := http.NewRequest(method, "https://localhost/api/"+path, nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.SetBasicAuth(user, user)
	return c.send(r)
}

// TestManagementConnections: users see and close their own connections, monitoring sees
// all, and the client hears who closed it why.
func TestManagementConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.scene()
	for user, tags := range map[string]string{"ann": "management", "mon": "monitoring"} {
		s.do("PUT", "/api/users/"+user, `{"password":"`+user+`","tags":"`+tags+`"}`)
		s.do("PUT", "/api/permissions/scene/"+user, `{"configure":".*","write":".*","read":".*"}`)
	}
	c := w.console()
	own := w.dialAs("ann")
	closed := own.NotifyClose(make(chan *amqp.Error, 1))
	names := func(user string) (list []string) {
		var all []struct{ Name string }
		_, text := c.as(user, "GET", "connections", nil)
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, x := range all {
			list = append(list, x.Name)
		}
		return list
	}
	if a, m := names("ann"), names("mon"); len(a) != 1 || len(m) != 2 {
		t.Fatalf("ann sees %q, mon %q", a, m)
	}
	mine, theirs := url.PathEscape(names("ann")[0]), url.PathEscape(s.connection())
	if mine == theirs { // the first of the list may be either
		theirs = url.PathEscape(other(names("mon"), names("ann")[0]))
	}
	for _, row := range []struct {
		user, method, path string
		code               int
	}{
		{"ann", "GET", "connections/" + mine, 200}, {"ann", "GET", "connections/" + theirs, 401},
		{"mon", "GET", "connections/" + theirs, 200},
		{"ann", "DELETE", "connections/" + theirs, 401},
		{"mon", "DELETE", "connections/" + mine, 401},
		{"mon", "DELETE", "connections/username/ann", 401},
		{"ann", "GET", "channels/" + theirs + "%20(1)", 401},
		{"mon", "GET", "channels/" + theirs + "%20(1)", 200},
	} {
		if code, text := c.as(row.user, row.method, row.path, nil); code != row.code {
			t.Errorf("%s %s %s: %d %s", row.user, row.method, row.path, code, text)
		}
	}
	code, text := c.as("ann", "DELETE", "connections/"+mine,
		http.Header{"X-Reason": {"time to go"}})
	if code != 204 {
		t.Fatalf("close: %d %s", code, text)
	}
	select {
	case e := <-closed:
		if e == nil || e.Code != amqp.ConnectionForced ||
			!strings.Contains(e.Reason, "time to go") {
			t.Errorf("the client heard %v", e)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the client heard nothing")
	}
}

func other(list []string, name string) string {
	for _, x := range list {
		if x != name {
			return x
		}
	}
	return ""
}

// TestManagementOwnConnections: the connections that requests have for a moment are not
// shown, however soon one looks.
func TestManagementOwnConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	c := w.console()
	for range 20 {
		c.ask(admin, "PUT", "https://localhost/api/queues/%2F/q", `{"durable":true}`)
		if _, text := c.ask(admin, "GET", "https://localhost/api/connections", ""); text != "[]" {
			t.Fatalf("connections: %s", text)
		}
	}
}
