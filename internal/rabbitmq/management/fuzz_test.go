package management

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequest sends any request as an administrator: whatever it is, the answer is one
// of HTTP's, its body is JSON, and it is no fault of ours.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "/api/queues/%2F", "page=1&page_size=2&name=q&use_regex=true&sort=a.b", ""},
		{"GET", "/api/queues", "columns=name,arguments.x&sort_reverse=true", ""},
		{"PUT", "/api/queues/%2F/q", "", `{"durable":"true","arguments":{"x-expires":1e400}}`},
		{"POST", "/api/queues/%2F/q/get", "",
			`{"count":"5","ackmode":"ack_requeue_true","encoding":"auto","truncate":-1}`},
		{"POST", "/api/exchanges/%2F/amq.default/publish", "",
			`{"routing_key":"q","payload":"/w==","payload_encoding":"base64",` +
				`"properties":{"headers":{"a":[1,null,{"b":1.5}]},"timestamp":1}}`},
		{"PUT", "/api/exchanges/%2F/x", "", `{"type":"x-consistent-hash","internal":true}`},
		{"POST", "/api/bindings/%2F/e/amq.topic/q/q", "", `{"routing_key":"a~b %","arguments":{}}`},
		{"DELETE", "/api/bindings/%2F/e/amq.topic/q/q/a%257Eb", "", ""},
		{"GET", "/api/health/checks/certificate-expiration/1/weeks", "", ""},
		{"PUT", "/api/users/u", "", `{"tags":["a",7],"password_hash":"AAAA"}`},
		{"PUT", "/api/policies/%2F/p", "", `{"pattern":"(","definition":{"max-length":-1}}`},
		{"POST", "/api/definitions", "", `{"queues":[{"vhost":"/","name":"q"}],"users":[7]}`},
		{"PUT", "/api/vhost-limits/%2F/max-queues", "", `{"value":9223372036854775808}`},
		{"OPTIONS", "/api//%2e%2e/", "", ""},
		{"GET", "/api/vhosts/%2F/connections", "lengths_age=60&lengths_incr=0", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		u, err := url.Parse("https://localhost" + path)
		if err != nil || !strings.HasPrefix(path, "/") ||
			strings.HasPrefix(path, "/api/users/guest") {
			return // the HTTP server refuses it; and the user is needed
		}
		u.RawQuery = query
		r, err := http.NewRequest(method, u.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		r.SetBasicAuth("guest", "guest")
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code < 200 || rec.Code == http.StatusInternalServerError || rec.Code > 599 {
			t.Errorf("%s %s?%s %q: %d %s", method, path, query, body, rec.Code, rec.Body)
		}
		if text := rec.Body.Bytes(); len(text) > 0 && !json.Valid(text) {
			t.Errorf("%s %s?%s %q: %d %q", method, path, query, body, rec.Code, text)
		}
		w.broker.PutUser(t.Context(), w.guest) // definitions may have changed it
	})
}
