package amqp10

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// phase is how far a connection is. It only grows.
type phase uint8

const (
	greeting phase = iota // the header of SASL is awaited
	proving               // sasl-mechanisms was sent
	proved                // sasl-outcome was sent; the header of AMQP is awaited
	opening               // open is awaited
	running               // open was answered
	closing               // close was sent
	over                  // close was received
)

// conn is one connection. Its fields belong to the reader's goroutine, which
// runs serve, but for those said to be otherwise.
type conn struct {
	srv    *Server
	net    net.Conn
	log    *slog.Logger
	ctx    context.Context // of calls of the broker; ends with the connection
	cancel context.CancelCauseFunc

	in       input
	phase    phase
	reason   error     // why close was sent
	deadline time.Time // of reading, as last set
	heard    bool      // something was read since that

	client   Client
	limit    uint32 // of frames that come
	frameMax uint32 // of frames that go
	silence  time.Duration

	namespace *broker.Namespace
	session   *broker.Session // nil before open and after leave
	unwatch   func()
	left      func()              // tells the engine that the connection is not in any more
	sessions  map[uint16]*session // by the client's channel
	pending   int                 // octets of incomplete messages
	lastRef   uint64
	round     uint64 // counts reads
	gathered
	scratch
	outcomes // not changed

	stopping atomic.Bool // the listener is closing
	trouble  atomic.Pointer[refusal]
	changed  atomic.Bool   // the lock or room
	look     chan struct{} // holds a token when awaitRoom is to look again
	written  chan struct{} // closed when the writer has ended
	tuned    chan struct{} // closed when silence is known

	out output
	// guarded by out:
	events  *broker.Session // session, for the writer
	live    map[uint16]*session
	links   map[uint64]*link // that deliver, by the broker's reference
	waiting []incoming       // published messages, in order
	resume  []*link          // with deliveries that may go now
	full    bool             // there is no room: senders get no credit
	// Octets of deliveries that links hold. Above maxHeld no events are taken.
	heldBytes int

	shown

	writer
}

// scratch is memory of the reader's that is used again.
type scratch struct {
	transfer    wire.Transfer
	disposition wire.Disposition
	flow        wire.Flow
	message     wire.Message
	header      wire.Header
	properties  wire.Properties
}

// loginFrame bounds frames of the login in octets; tokens may be long.
const loginFrame = 8192

func newConn(s *Server, n net.Conn) *conn {
	c := &conn{
		srv: s, net: n, log: s.cfg.Logger,
		in: newInput(n, s.cfg.FrameMax), limit: loginFrame, frameMax: wire.MinFrameSize,
		client:   Client{Remote: n.RemoteAddr().String()},
		sessions: map[uint16]*session{}, live: map[uint16]*session{}, links: map[uint64]*link{},
		outcomes: newOutcomes(),
		look:     make(chan struct{}, 1),
		written:  make(chan struct{}), tuned: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.guide = c.newGuide()
	c.out.Open()
	c.face.ConnectedAt = time.Now()
	return c
}

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context) {
	defer c.net.Close()
	defer c.cancel(nil)
	stop := context.AfterFunc(ctx, c.stop)
	defer stop()
	c.deadline = time.Now().Add(c.srv.cfg.HandshakeTimeout)
	c.net.SetReadDeadline(c.deadline)
	go c.write()
	err := c.read()
	opened := c.namespace != nil
	c.leave()
	c.out.Finish()
	<-c.written
	c.srv.roster.remove(c)
	if _, lost := errors.AsType[*wire.Violation](err); lost || errors.Is(err, errGoodbye) {
		c.linger()
	}
	if c.reason != nil {
		err = c.reason
	}
	if errors.Is(err, errGoodbye) {
		err = nil
	}
	if opened {
		c.srv.cfg.Events.closed(c.client, err)
	}
}

// stop makes the reader notice that the listener is closing. What waits for the
// broker may do so for as long again as the client may take to answer.
func (c *conn) stop() {
	c.stopping.Store(true)
	c.wakeReader()
	c.net.SetReadDeadline(time.Now())
	time.AfterFunc(c.srv.cfg.CloseTimeout, func() { c.cancel(errStopping) })
}

// leave gives back what the connection has of the broker.
func (c *conn) leave() {
	if c.session == nil {
		return
	}
	c.leaving.Store(true)
	c.tellTallied()
	c.unwatch()
	c.out.Lock()
	c.out.Settled()
	c.events = nil
	c.srv.roster.ended.Add(uint64(len(c.live)))
	clear(c.live)
	clear(c.links)
	c.resume = nil
	c.out.Unlock()
	if err := c.session.Close(context.WithoutCancel(c.ctx)); err != nil {
		c.log.Error("close session", "client", c.client, "error", err)
	}
	c.session = nil
	c.left()
}

// What is read and dropped at the end of a connection.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// linger lets the client read the last frames and be the first to close: a
// socket that is closed with unread input discards what the peer has not read.
func (c *conn) linger() {
	if c.net.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		io.CopyN(io.Discard, c.net, lingerBytes)
	}
}
