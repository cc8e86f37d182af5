package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// once is a net.Listener of one connection.
type once struct{ conns chan net.Conn }

func (o once) Accept() (net.Conn, error) {
	conn, ok := <-o.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (o once) Close() error   { close(o.conns); return nil }
func (o once) Addr() net.Addr { return &net.TCPAddr{} }

// TestSilence: a client that nobody knows, and that does not send the body it
// spoke of, is answered and loses its connection.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"nobody": "",
		"unknown key": "Authorization: AWS4-HMAC-SHA256 Credential=MALLORY/20260102/eu-west-1/" +
			"toy/aws4_request, SignedHeaders=host, Signature=00\r\n",
	} {
		w := newWorld(t)
		synctest.Test(t, func(t *testing.T) {
			server, door := &http.Server{Handler: w.gw}, once{make(chan net.Conn, 1)}
			ours, theirs := net.Pipe()
			door.conns <- ours
			go server.Serve(door)
			defer server.Close()
			defer theirs.Close()
			begin := time.Now()
			fmt.Fprintf(theirs, "POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: 100000\r\n\r\nabc",
				header)
			answer, err := io.ReadAll(theirs)
			if err != nil || len(answer) == 0 {
				t.Errorf("%s: answered %q, %v", name, answer, err)
			}
			if held := time.Since(begin); held > bodyTimeout+time.Second {
				t.Errorf("%s: held for %v", name, held)
			}
		})
	}
}
