package bench

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
)

// A sink is a broker that does nothing but what a run needs: it confirms what comes,
// and gives it at once to those who consume, in turn. It shows what the generator costs.
// It knows neither users nor prefetch nor acks, and keeps what nobody consumes in memory.
type sink struct {
	server
	faults faults
	queues map[string]*sinkQueue
	bound  map[string][]*sinkQueue // by exchange
}

// faults are what a sink may do wrong, to see that it is noticed.
type faults struct {
	// method answers instead of the sink, if handled is true; without an answer it is
	// silent. It is called for each method of every connection, content or not.
	method func(channel uint16, m wire.Method) (answer wire.Method, handled bool)
	// deliver decides what becomes of delivery n, from 0: how often it comes. later: it
	// comes behind the next one.
	deliver func(n int) (times int, later bool)
	// forget drops what nobody consumes.
	forget bool
	// cut ends a connection after so many publishes of it; 0: never.
	cut int
}

type sinkQueue struct {
	consumers []*sinkConn
	tags      []string
	next      int // consumer
	waiting   [][]byte
	n         int
	held      []byte // a body that comes later
}

// newSink listens on a free port of 127.0.0.1, with TLS if cfg says how.
func newSink(cfg *tls.Config, f faults) (*sink, error) {
	s := &sink{faults: f, queues: map[string]*sinkQueue{}, bound: map[string][]*sinkQueue{}}
	if err := s.listen(cfg); err != nil {
		return nil, err
	}
	s.accept(func(conn net.Conn) {
		c := &sinkConn{s: s, conn: conn, in: buffer.NewInput(conn, 256<<10)}
		c.serve()
	})
	return s, nil
}

// close ends all connections and returns when nothing runs any more.
func (s *sink) close() {
	s.stop()
	s.work.Wait()
}

// A sinkConn serves one connection.
type sinkConn struct {
	s    *sink
	conn net.Conn
	in   buffer.Input
	dec  wire.Decoder

	key, exchange string
	header        []byte
	body          []byte
	left          uint64
	confirming    bool
	publishes     uint64
	touched       map[*sinkConn]bool // have something to flush

	writing   sync.Mutex
	out       []byte
	delivered uint64
}

var errSinkCut = errors.New("cut")

func (c *sinkConn) serve() {
	defer func() {
		c.conn.Close()
		c.s.leave(c)
	}()
	c.touched = map[*sinkConn]bool{}
	if !c.greet() {
		return
	}
	for {
		f, size, err := wire.ParseFrame(c.in.Unused(), wire.DefaultFrameMax)
		if err == nil && size <= len(c.in.Unused()) {
			if err = c.frame(f); err == nil {
				c.in.Use(size)
				continue
			}
		}
		if err == nil {
			err = c.settle()
		}
		if err != nil {
			return
		}
		c.in.Need(size)
		if _, err := c.in.Fill(); err != nil {
			return
		}
	}
}

// greet takes the protocol header and begins the handshake.
func (c *sinkConn) greet() bool {
	for len(c.in.Unused()) < wire.HeaderSize {
		if _, err := c.in.Fill(); err != nil {
			return false
		}
	}
	c.in.Use(wire.HeaderSize)
	return c.send(0, &wire.ConnectionStart{VersionMinor: 9, Mechanisms: "PLAIN",
		ServerProperties: wire.Table{{Name: "product", Value: wire.StringValue("sink")}},
		Locales:          "en_US"}) == nil
}

// send writes a method at once.
func (c *sinkConn) send(channel uint16, m wire.Method) (err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.out, err = wire.AppendMethod(c.out, channel, m); err != nil {
		return err
	}
	return c.write()
}

// write writes what is in out; the caller holds the lock.
func (c *sinkConn) write() error {
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// settle confirms what came and flushes what was delivered.
func (c *sinkConn) settle() error {
	for to := range c.touched {
		to.writing.Lock()
		if len(to.out) > 0 {
			_ = to.write() // it may be gone
		}
		to.writing.Unlock()
	}
	clear(c.touched)
	if !c.confirming {
		return nil
	}
	c.confirming = false
	if m := c.s.faults.method; m != nil {
		answer, handled := m(channel, &wire.BasicAck{DeliveryTag: c.publishes})
		if handled && answer != nil {
			return c.send(channel, answer)
		}
		if handled {
			return nil
		}
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = wire.AppendAck(c.out, channel, c.publishes, true)
	return c.write()
}
