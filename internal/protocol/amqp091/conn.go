package amqp091

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// phase is how far a connection is. It only grows.
type phase uint8

const (
	starting phase = iota // connection.start was sent
	tuning                // connection.tune was sent
	opening               // tune-ok was received
	running               // open-ok was sent
	closing               // connection.close was sent
	over                  // close-ok was received
)

var phaseNames = [...]string{"starting", "tuning", "opening", "running", "closing", "closed"}

func (p phase) String() string { return phaseNames[p] }

// conn is one connection. Its fields belong to the reader's goroutine, which
// runs serve, but for those said to be otherwise.
type conn struct {
	srv    *Server
	engine Engine // Config.Engine, or that of ServeInside
	net    net.Conn
	log    *slog.Logger
	ctx    context.Context // of calls of the broker; ends with the connection
	cancel context.CancelCauseFunc

	in       input
	dec      wire.Decoder
	phase    phase
	reason   error     // why connection.close was sent
	round    uint64    // counts reads
	now      int64     // when the last one ended, in nanoseconds since 1970
	deadline time.Time // of reading, as last set

	client       Client
	known        string // the user, of ServeAs; "": it has to sign in
	capabilities capabilities
	frameMax     uint32 // as negotiated; before that, of the handshake
	channelMax   uint16
	heartbeat    time.Duration

	namespace *broker.Namespace
	session   *broker.Session // nil before open and after leave
	unwatch   func()
	left      func() // tells the engine that the connection is not in any more
	channels  map[uint16]*channel
	pending   int // octets of incomplete bodies on all channels
	held      int // octets of transactions on all channels
	lastID    uint32
	lastRef   uint64
	gathered
	guide broker.Guide // of the message in hand
	leading
	committed chan error // the end of a transaction

	stopping    atomic.Bool // the listener is closing
	trouble     atomic.Pointer[refusal]
	lockChanged atomic.Bool   // or room
	look        chan struct{} // holds a token when awaitRoom is to look again
	written     chan struct{} // closed when the writer has ended
	tuned       chan struct{} // closed when heartbeat is known

	out output
	// guarded by out:
	live      *broker.Session // session, for the writer
	byID      map[uint32]*channel
	consumers map[uint64]*consumer
	late      []lateness

	committing *channel // whose transaction is under way

	shownConn

	writer
}

func newConn(s *Server, n net.Conn) *conn {
	c := &conn{
		srv: s, engine: s.cfg.Engine, net: n, log: s.cfg.Logger,
		in: newInput(n, s.cfg.FrameMax), frameMax: wire.InitialFrameMax,
		client:   Client{Remote: n.RemoteAddr().String()},
		channels: map[uint16]*channel{}, byID: map[uint32]*channel{},
		consumers: map[uint64]*consumer{},
		look:      make(chan struct{}, 1),
		written:   make(chan struct{}), tuned: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.committed = make(chan error, 1)
	c.guide = c.leading.guide()
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
	if !c.greet() {
		return
	}
	go c.write()
	err := c.read()
	opened := c.namespace != nil
	c.leave()
	c.out.Finish()
	<-c.written
	c.srv.roster.remove(c)
	if _, lost := errors.AsType[*wire.Error](err); lost || errors.Is(err, errGoodbye) {
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
	c.unwatch()
	for _, ch := range c.channels {
		c.endReplies(ch)
	}
	c.out.Lock()
	c.out.Settled()
	c.live = nil
	for _, ch := range c.byID {
		c.forget(ch)
	}
	clear(c.consumers)
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
