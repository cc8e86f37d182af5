package listen

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipe serves one connection in memory and gives the client's side of it.
func pipe(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	server, client := &http.Server{Handler: h}, &handover{address: &net.TCPAddr{}}
	bound(server)
	client.conns, client.done = make(chan net.Conn, 1), make(chan struct{})
	ours, theirs := net.Pipe()
	client.conns <- ours
	go server.Serve(client)
	t.Cleanup(func() {
		theirs.Close()
		server.Close()
	})
	return theirs
}

// TestHTTPSilence: a client that does not send the body it spoke of loses its
// connection, whether or not the handler wants the body.
func TestHTTPSilence(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			conn := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if wanted {
					io.Copy(io.Discard, r.Body)
				}
				w.WriteHeader(http.StatusForbidden)
			}))
			begin := time.Now()
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Error(err)
			}
			if held := time.Since(begin); held > readTimeout+time.Second {
				t.Errorf("wanted %v: held for %v", wanted, held)
			}
		})
	}
}

// TestHTTPLong: a handler may take longer than the reading of its request.
func TestHTTPLong(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			conn := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(10 * readTimeout):
				case <-r.Context().Done():
					w.WriteHeader(http.StatusGone)
				}
			}))
			fmt.Fprint(conn, request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%.20q: the handler was cut: %s", request, resp.Status)
			}
		})
	}
}
