package bench

import (
	"crypto/tls"
	"net"
	"sync"
)

// A server accepts connections on a free port of 127.0.0.1. Sinks are built on it.
type server struct {
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex // also of what the sink holds
	closed bool
	conns  map[net.Conn]bool
}

// listen begins to listen, with TLS if cfg says how.
func (s *server) listen(cfg *tls.Config) (err error) {
	s.conns = map[net.Conn]bool{}
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err == nil && cfg != nil {
		s.listener = tls.NewListener(s.listener, cfg)
	}
	return err
}

// address is where it listens.
func (s *server) address() string { return s.listener.Addr().String() }

// accept serves every connection on a goroutine of its own. serve takes its
// connection out of conns.
func (s *server) accept(serve func(net.Conn)) {
	s.work.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			if s.closed {
				conn.Close()
			}
			s.conns[conn] = true
			s.mu.Unlock()
			s.work.Go(func() { serve(conn) })
		}
	})
}

// stop ends all connections; work ends soon.
func (s *server) stop() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
}
