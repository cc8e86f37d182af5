package telemetry

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds concurrent requests for metrics; each takes memory.
const maxScrapes = 4

// Handler answers GET /metrics in Prometheus's text format, and /healthz and
// /readyz with 200 or 503, a line for each check, and one for each warning, or the same
// as JSON for who accepts that.
// Requests from another machine, or for a host name that is not this machine's
// own, get 403: the latter come from web pages that let their name resolve to
// 127.0.0.1. More are handlers of other paths, by patterns of [http.ServeMux]; nil: none.
// The registry is required.
func Handler(r *Registry, h Health, more map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
	}))
	mux.HandleFunc("GET /healthz", checks(h.Live, h.Shown))
	mux.HandleFunc("GET /readyz", checks(h.Ready, h.Shown))
	for pattern, handler := range more {
		mux.Handle(pattern, handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !local(req) {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, req)
	})
}

func checks(of, shown map[string]Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		list, well := examine(r.Context(), of, shown)
		kind, text := "text/plain; charset=utf-8", []byte(lines(list, well))
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			kind = "application/json"
			text, _ = json.Marshal(struct { // of strings: there is no error
				Well   bool      `json:"well"`
				Checks []finding `json:"checks"`
			}{well, list})
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		if !well {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		w.Write(text)
	}
}

// local reports whether both ends of the request are this machine's loopback.
func local(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]") // without a port
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
