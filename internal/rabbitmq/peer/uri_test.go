package peer

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestParseURI reads what rabbitmq.com/docs/uri-spec and uri-query-parameters have.
func TestParseURI(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"amqp://":                          "local / - amqp://",
		"amqp:///":                         "local  - amqp:///",
		"amqp:///%2f":                      "local / - amqp:///%2f",
		"amqps:///my%20vhost":              "local my vhost - amqps:///my%20vhost",
		"amqp://ann@/v":                    "local v ann amqp:///v",
		"amqp://ann:pw@":                   "local / ann amqp://",
		"amqps://host":                     "host:5671 / - amqps://host",
		"AMQPS://host/":                    "host:5671  - amqps://host/",
		"amqp://host:1234/v":               "host:1234 v - amqp://host:1234/v",
		"amqps://u:p%40w@[::1]:5/%2Fa":     "[::1]:5 /a u amqps://[::1]:5/%2Fa",
		"amqps://us%3aer:p:more@h?x=1#y/z": "h:5671 / us:er amqps://h",
		"amqps://h?heartbeat=5&channel_max=3&frame_max=5000&connection_timeout=9" +
			"&verify=verify_peer&depth=3&fail_if_no_peer_cert=false" +
			"&auth_mechanism=external&auth_mechanism=plain": "h:5671 / - amqps://h",
	} {
		u, err := ParseURI(text, "/")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		where, user := "local", "-"
		if !u.Local() {
			where = u.address()
		}
		if u.User() != "" {
			user = u.User()
		}
		if got := fmt.Sprint(where, " ", u.Vhost(), " ", user, " ", u); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	u, err := ParseURI("amqps://h?heartbeat=0&connection_timeout=9&certfile=c%2Fx&keyfile=k"+
		"&cacertfile=/ca&server_name_indication=other&auth_mechanism=AMQPLAIN", "/")
	if err != nil || u.caFile != "/ca" || u.certFile != "c/x" || u.keyFile != "k" ||
		u.serverName != "other" || !u.heartbeatSet || u.timeout != 9*time.Millisecond {
		t.Errorf("%+v %v", u, err)
	}
}

// TestWrongURIs: each is refused with what is wrong, and no error shows a password.
func TestWrongURIs(t *testing.T) {
	t.Parallel()
	long := "amqp://u:secret@h/" + strings.Repeat("x", 5000)
	for text, want := range map[string]string{
		long:                               "too_long",
		"":                                 `"..." not a valid URI: {{unable`,
		"host:5672":                        "no_scheme",
		"http://u:secret@host/":            `{{unexpected_uri_scheme,"http"},"http://host/"}`,
		"x!://h":                           "malformed",
		"amqp://h/a/b":                     `{invalid_vhost,`,
		"amqp://u:secret@h:x":              "malformed",
		"amqp://h:70000":                   "{port_out_of_range,70000}",
		"amqp://:1":                        "port_requires_host",
		"amqp://h/%2":                      "unterminated_entity",
		"amqp://h/%zz":                     "invalid_entitiy",
		"amqp://u:secret%zz@h":             "{unterminated_entity,password}",
		"amqps://[::1":                     "malformed",
		"amqps://[nothing]:1/":             "malformed",
		"amqp://u:sec@ret@h":               "malformed",
		"amqp://u:secret@h h":              "malformed",
		"amqp://u:secret":                  "malformed",
		"amqp://h?heartbeat=x":             "heartbeat,not_an_integer",
		"amqp://h?host=other":              "{parameter_unconfigurable_in_query,host}",
		"amqp://h?auth_mechanism=cr":       "unknown_mechanism",
		"amqps://h?verify=verify_none":     "servers are always verified",
		"amqps://h?verify=maybe":           "invalid_atom_parameter",
		"amqps://h?certfile=/c":            "needs keyfile",
		"amqps://h?keyfile=/c":             "needs keyfile",
		"amqps://h?depth=deep":             "not_an_integer",
		"amqps://h?password=secret":        "keyfile has to be without a password",
		"amqps://h?fail_if_no_peer_cert=1": "require_boolean",
		"amqps://h?server_name_indication=disable": "always verified",
		"amqps://h?cacertfile=%secret":             "invalid_parameter",
	} {
		u, err := ParseURI(text, "/")
		if err == nil {
			t.Errorf("%.99s: %v", text, u)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "sec@") {
			t.Errorf("%.99s: %v, want %s", text, err, want)
		}
	}
}

// TestSecretsStayHidden whatever prints them.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	u, err := ParseURI("amqps://ann:secret@h:1/v?cacertfile=/secret-place", "/")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "uri", u, "password", u.password)
	j, err := json.Marshal(map[string]any{"uri": u, "password": u.password})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%s %v %+v %s %#v %v", j, u, u, u.password, *u.password, *u.password)
	if text := b.String(); strings.Contains(text, "secret") || strings.Contains(text, "ann") {
		t.Error(text)
	}
}

// TestCheck: in clear only to this machine, and only when that is asked for.
func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{
		"amqps://far": {true, true}, "amqp://": {true, true}, "amqp://far": {false, false},
		"amqp://127.0.0.1:1": {false, true}, "amqp://[::1]": {false, true},
		"amqp://localhost": {false, true}, "amqp://localhost.far": {false, false},
		"amqp://128.0.0.1": {false, false},
	} {
		u, err := ParseURI(text, "/")
		if err != nil {
			t.Fatal(err)
		}
		for i, insecure := range []bool{false, true} {
			err := New(Config{InsecureLoopback: insecure}).Check(u)
			if (err == nil) != want[i] {
				t.Errorf("%s %v: %v", text, insecure, err)
			}
			if err != nil && !strings.Contains(err.Error(), "use amqps://") {
				t.Error(err)
			}
		}
	}
}

// FuzzParseURI: no text makes it panic, what it accepts reads the same again, and neither
// an error nor what is shown has the password.
func FuzzParseURI(f *testing.F) {
	for _, s := range []string{
		"amqp://", "amqps://u:p@h:5671/%2f?cacertfile=/x&heartbeat=5", "amqp://[::1]:5/v",
		"amqp://u:p%40@h", "amqp://h/a/b", "amqps://h?verify=verify_none", "://", "amqp://@@:@",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text, "/")
		if err != nil {
			return
		}
		again, err := ParseURI(u.String(), "/")
		if err != nil {
			t.Fatalf("%q is shown as %q: %v", text, u, err)
		}
		if again.String() != u.String() || again.Vhost() != u.Vhost() ||
			again.Local() != u.Local() || !u.Local() && again.address() != u.address() {
			t.Errorf("%q: %q and %q", text, u, again)
		}
	})
}

// FuzzMask: where a password may stand, nothing is shown.
func FuzzMask(f *testing.F) {
	f.Add("amqp", "u", "p", "host/v?x=y")
	f.Add("http", "", "p@/?#:", "h")
	f.Add("", "u", "p", "")
	f.Add("amqp", "u", "a/b/", "h")
	f.Add("amqp", "u", "a?heartbeat=", "h")
	f.Add("amqps", "u", "a?verify=", "h")
	f.Fuzz(func(t *testing.T, scheme, user, password, rest string) {
		const mark = "hidden-words"
		text := scheme + "://" + user + ":" + password + mark + "@" + rest
		if strings.Contains(rest, mark) || strings.Contains(scheme, mark) {
			return
		}
		_, err := ParseURI(text, "/")
		if shown := Mask(text); strings.Contains(shown, mark) ||
			err != nil && strings.Contains(err.Error(), mark) {
			t.Errorf("%q: %q %v", text, shown, err)
		}
	})
}
