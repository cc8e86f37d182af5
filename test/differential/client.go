package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"coffer/internal/protocol/amqp091/wire"
)

// target says how a broker is reached.
type target struct {
	dial           func(ctx context.Context) (net.Conn, error)
	user, password string
}

// frame is one frame that came, in memory of its own.
type frame struct {
	typ     byte
	channel uint16
	payload []byte
}

// client is one connection: it sends octets and keeps the frames that come.
type client struct {
	net     net.Conn
	changed chan struct{} // holds a token when frames came or the end

	mu     sync.Mutex
	frames []frame // not taken yet
	ended  bool    // nothing more will come
}

// connect opens a connection without a word. notify gets a token for news.
func connect(ctx context.Context, t target, notify chan struct{}) (*client, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &client{net: conn, changed: notify}
	go c.read()
	return c, nil
}

// read takes frames until the connection ends.
func (c *client) read() {
	var buf []byte
	in := make([]byte, 64<<10)
	for {
		n, err := c.net.Read(in)
		buf = append(buf, in[:n]...)
		var list []frame
		for {
			f, size, bad := wire.ParseFrame(buf, 1<<24)
			if bad != nil {
				err = bad // a protocol header, or what is no frame
				break
			}
			if size == 0 || size > len(buf) {
				break
			}
			if f.Type != wire.FrameHeartbeat {
				payload := bytes.Clone(f.Payload)
				list = append(list, frame{byte(f.Type), f.Channel, payload})
			}
			buf = buf[size:]
		}
		c.mu.Lock()
		c.frames = append(c.frames, list...)
		c.ended = err != nil
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// take gives what came since the last call.
func (c *client) take() (list []frame, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, c.frames = c.frames, nil
	return list, c.ended
}

// send writes octets. That the other side has closed is seen by reading.
func (c *client) send(b []byte) { c.net.Write(b) }

// method gives a method frame.
func method(channel uint16, m wire.Method) []byte {
	b, err := wire.AppendMethod(nil, channel, m)
	if err != nil {
		panic(fmt.Sprint("differential: a step cannot be encoded: ", err))
	}
	return b
}

var errClosed = errors.New("the connection was closed")

// login does the handshake, whose answers are not compared.
func (c *client) login(ctx context.Context, t target) error {
	yes := wire.BoolValue(true)
	c.send([]byte(wire.ProtocolHeader))
	if _, err := await[*wire.ConnectionStart](ctx, c); err != nil {
		return err
	}
	c.send(method(0, &wire.ConnectionStartOk{
		Mechanism: "PLAIN", Locale: "en_US",
		Response: wire.Secret("\x00" + t.user + "\x00" + t.password),
		ClientProperties: wire.Table{{Name: "capabilities", Value: wire.TableValue(wire.Table{
			{Name: "connection.blocked", Value: yes},
			{Name: "consumer_cancel_notify", Value: yes},
			{Name: "authentication_failure_close", Value: yes},
		})}},
	}))
	tune, err := await[*wire.ConnectionTune](ctx, c)
	if err != nil {
		return err
	}
	c.send(method(0, &wire.ConnectionTuneOk{
		ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax,
	}))
	c.send(method(0, &wire.ConnectionOpen{VirtualHost: "/"}))
	_, err = await[*wire.ConnectionOpenOk](ctx, c)
	return err
}

// await waits for a method where nothing else can come.
func await[M wire.Method](ctx context.Context, c *client) (m M, err error) {
	for {
		list, ended := c.take()
		for i, f := range list {
			got, err := wire.ParseMethod(f.payload)
			if err != nil {
				return m, err
			}
			want, ok := got.(M)
			if !ok || i+1 < len(list) {
				return m, fmt.Errorf("got %s, want %s", describe(got), m.ID())
			}
			return want, nil
		}
		if ended {
			return m, errClosed
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return m, context.Cause(ctx)
		}
	}
}
