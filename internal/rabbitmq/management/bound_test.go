package management

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBodies: most bodies are bounded at 1 MiB, those of messages and definitions at
// Config.MaxBody, and what is over is refused before it is read to its end.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handler.cfg.MaxBody = 2 << 20
	pad := func(octets int) string { return strings.Repeat(" ", octets) }
	publishing := `{"routing_key":"q","properties":{},"payload":"m","payload_encoding":"string"}`
	for _, row := range []struct {
		method, path, body string
		code               int
	}{
		{"PUT", "/api/queues/%2F/q", "{}" + pad(smallBody-2), 201},
		{"PUT", "/api/queues/%2F/q", "{}" + pad(smallBody), 400},
		{"POST", "/api/exchanges/%2F/amq.default/publish", publishing + pad(smallBody), 200},
		{"POST", "/api/exchanges/%2F/amq.default/publish", publishing + pad(2<<20), 400},
		{"POST", "/api/definitions", "{}" + pad(smallBody), 204},
		{"POST", "/api/definitions", "{}" + pad(2<<20), 400},
	} {
		rec := w.ask("guest", row.method, row.path, row.body)
		if rec.Code != row.code {
			t.Errorf("%s %d octets: %d %.200s", row.path, len(row.body), rec.Code, rec.Body)
		}
		if row.code == 400 && !strings.Contains(rec.Body.String(), tooLarge) {
			t.Errorf("%s: %s", row.path, rec.Body)
		}
	}
	if len(w.handler.large) != 0 {
		t.Error("a place for a large body was kept")
	}
}

// TestDepth: nesting is bounded by the JSON decoder and by AMQP's tables.
func TestDepth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, depth := range []int{100, 9000, 200_000} {
		list := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		body := `{"arguments":{"a":` + list + `}}`
		if rec := w.ask("guest", "PUT", "/api/queues/%2F/deep", body); rec.Code != 400 {
			t.Errorf("depth %d: %d %.200s", depth, rec.Code, rec.Body)
		}
	}
	if rec := w.ask("guest", "GET", "/api/queues", ""); rec.Code != 200 {
		t.Errorf("afterwards: %d", rec.Code)
	}
}

// TestCrossOrigin: a page of another origin cannot use credentials that the browser has.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for site, code := range map[string]int{"cross-site": 403, "same-origin": 201} {
		r := httptest.NewRequest("PUT", "https://localhost/api/queues/%2F/"+site, nil)
		r.SetBasicAuth("guest", "guest")
		r.Header.Set("Sec-Fetch-Site", site)
		if rec := w.do(r); rec.Code != code {
			t.Errorf("%s: %d %s", site, rec.Code, rec.Body)
		}
	}
}

// TestHeaders: every answer says that it is neither to be framed, nor sniffed, nor kept.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/api/overview", "/api/nonsense"} {
		h := w.ask("guest", "GET", path, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			"Cache-Control":           "no-cache, no-store", "Content-Type": "application/json",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
	if h := w.ask("", "GET", "/api/overview", "").Header(); h.Get("WWW-Authenticate") != realm {
		t.Errorf("WWW-Authenticate: %q", h.Get("WWW-Authenticate"))
	}
}

// TestSecrets: what is logged holds neither passwords nor hashes, messages or URIs.
func TestSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "S3cret-1234567890"
	for _, r := range [][3]string{
		{"PUT", "/api/users/ann", `{"password":"` + secret + `","tags":""}`},
		{"PUT", "/api/users/" + secret, `{"password":7,"tags":""}`},
		{"PUT", "/api/global-parameters/g", `{"value":"` + secret + `"}`},
		{"PUT", "/api/parameters/shovel/%2F/s",
			`{"value":{"src-uri":"amqps://a:` + secret + `@b"}}`},
		{"GET", "/api/auth/hash_password/" + secret, ""},
		{"GET", "/api/queues?name=" + secret + "&page=x", ""},
		{"POST", "/api/definitions",
			`{"users":[{"name":"bob","password":"` + secret + `","tags":7}]}`},
		{"PUT", "/api/queues/%2F/q", ""},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"routing_key":"q","properties":{},` +
			`"payload":"` + secret + `","payload_encoding":"string"}`},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"routing_key":"q","properties":{},` +
			`"payload":"` + secret + `!","payload_encoding":"base64"}`},
	} {
		if rec := w.ask("guest", r[0], r[1], r[2]); rec.Code >= 500 {
			t.Errorf("%s %s: %d %s", r[0], r[1], rec.Code, rec.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://localhost/api/whoami", nil)
	r.SetBasicAuth("guest", secret)
	if rec := w.do(r); rec.Code != 401 || strings.Contains(rec.Body.String(), secret) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if log := w.log.String(); strings.Contains(log, secret) || !strings.Contains(log, "request") {
		t.Errorf("the log: %s", log)
	}
}
