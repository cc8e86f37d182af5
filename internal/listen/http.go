package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of an HTTP server that sets none: a client that sends its header or its
// body byte by byte, or nothing, must not hold a connection.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 2 * time.Minute

	// An HTTP client without TLS has so long for its answer, and to send so much.
	plainTimeout = 2 * time.Second
	maxPlain     = 2 << 20
)

// plainAnswer is for HTTP clients that speak no TLS. AWS's SDKs take its body for an
// error, with SQS's code for a request that was not made over HTTPS; people can read it.
const plainAnswer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n" +
	"Content-Type: application/json\r\n\r\n" +
	`{"__type":"InvalidSecurity","message":"This port speaks TLS: use https://, not http://."}`

// ServeHTTP serves HTTP/1.1 and, where the handshake agreed on "h2", HTTP/2,
// until [Listener.Close] and returns when it is done. It is called once. Close
// lets requests that are running finish; when its context ends first, it cuts
// them, and their handlers' contexts end.
//
// The server must be fresh; its TLSConfig stays nil, the listener's counts.
// ReadHeaderTimeout, ReadTimeout and IdleTimeout have a default here;
// once a request was read, its handler may take longer.
func (l *Listener) ServeHTTP(server *http.Server) error {
	bound(server)
	var requests gate
	server.Handler = requests.guard(server.Handler)
	h := &handover{address: l.sockets[0].Addr()}
	h.conns, h.done = make(chan net.Conn), make(chan struct{})
	var served error
	var serving sync.WaitGroup
	serving.Go(func() { served = server.Serve(h) })
	l.serve(func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			server.Close()
			requests.wait()
		}
		serving.Wait()
		return err
	}, h.give)
	// Close may have come before serve noted how to drain.
	server.Close()
	serving.Wait()
	if errors.Is(served, http.ErrServerClosed) {
		return nil
	}
	return served
}

// bound gives a server the timeouts that it does not set.
func bound(server *http.Server) {
	for _, t := range []struct {
		of    *time.Duration
		value time.Duration
	}{
		{&server.ReadHeaderTimeout, readHeaderTimeout},
		{&server.ReadTimeout, readTimeout},
		{&server.IdleTimeout, idleTimeout},
	} {
		if *t.of == 0 {
			*t.of = t.value
		}
	}
}

// answerPlain tells a client whose handshake failed for being plain HTTP. Its request is
// read before the connection is closed: what is unread would make the kernel reset it,
// and the answer could be lost.
func (l *Listener) answerPlain(c *tracked, failure error) {
	e, ok := errors.AsType[tls.RecordHeaderError](failure)
	if !ok || e.Conn == nil || e.RecordHeader[0] < 'A' || e.RecordHeader[0] > 'Z' {
		return
	}
	defer context.AfterFunc(l.ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(plainTimeout))
	if _, err := io.WriteString(c, plainAnswer); err != nil {
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		io.CopyN(io.Discard, c, maxPlain)
	}
}

// gate lets the end of a server wait for the requests that were cut, which
// http.Server does not.
type gate struct{ running sync.RWMutex } // read-held by each request

func (g *gate) guard(next http.Handler) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.running.TryRLock() {
			http.Error(w, "closing", http.StatusServiceUnavailable)
			return
		}
		defer g.running.RUnlock()
		next.ServeHTTP(w, r)
	})
}

// wait lets no further request in and returns when the last one is done.
func (g *gate) wait() { g.running.Lock() }

// handover is the net.Listener that the HTTP server accepts from.
type handover struct {
	conns   chan net.Conn
	address net.Addr
	once    sync.Once
	done    chan struct{}
}

// give hands a connection to the server, or closes it when there is none.
func (h *handover) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		conn.Close()
	}
}

// Accept waits for a connection whose handshake is done.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; the sockets are the Listener's.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is the first socket's.
func (h *handover) Addr() net.Addr { return h.address }
