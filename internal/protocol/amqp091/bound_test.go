package amqp091

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// TestDeafClientIsCutOff: a client that makes the server answer and does not
// read is not answered for ever.
func TestDeafClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{WriteTimeout: 100 * time.Millisecond})
	p := openPeer(t, s)
	body := strings.Repeat("x", 100_000)
	one := slices.Concat(method(1, &wire.BasicPublish{
		Exchange: []byte("amq.direct"), Mandatory: true,
	}), header(1, 60, 0, uint64(len(body))), raw(wire.FrameBody, 1, body))
	for {
		_, err := p.conn.Write(one)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server neither reads nor closes")
		}
		if err != nil {
			return // closed
		}
	}
}

// TestStubbornClientIsLeft: a client that does not answer connection.close does
// not hold the server up.
func TestStubbornClientIsLeft(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{CloseTimeout: 50 * time.Millisecond})
	p := openPeer(t, s)
	s.stop()
	if m := await[*wire.ConnectionClose](p); m.ReplyCode != wire.ConnectionForced {
		t.Errorf("%+v", m)
	}
	if f, err := p.frame(); err != io.EOF {
		t.Error(f, err)
	}
}

// TestAbruptEndPutsBack: when the socket goes, what was in flight goes back.
func TestAbruptEndPutsBack(t *testing.T) {
	t.Parallel()
	s := serveTest(t, newEngine(t), Config{})
	c := connect(t, s)
	c.queue("q")
	c.put("q", "1", "2", "3")
	p := openPeer(t, s)
	p.send(1, &wire.BasicConsume{Queue: "q"})
	await[*wire.BasicConsumeOk](p)
	await[*wire.BasicDeliver](p)
	p.conn.Close()
	var got []string
	d, err := c.Consume("q", "", true, false, false, false, nil)
	c.must(err)
	for range 3 {
		m := next(t, d)
		if !m.Redelivered {
			t.Errorf("%s is not marked", m.Body)
		}
		got = append(got, string(m.Body))
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("%q", got)
	}
}

// TestEvents follows a life.
func TestEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	add := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, s)
	}
	over := make(chan struct{})
	s := serveTest(t, newEngine(t), Config{Events: Events{
		Refused: func(c Client, err error) { add("refused " + c.User + " " + err.Error()) },
		Opened:  func(c Client) { add("opened " + c.User + c.VHost + c.Name) },
		Failed: func(_ Client, channel uint16, code wire.Code, text string) {
			add("failed " + code.String() + " " + text)
		},
		Closed: func(_ Client, err error) {
			if err == nil {
				add("closed")
			}
			close(over)
		},
	}})
	if _, err := dial(t, s, "none"); err == nil {
		t.Error("an unknown virtual host was opened")
	}
	c := connect(t, s)
	_, err := c.QueueDeclarePassive("none", false, false, false, false, nil)
	if err == nil {
		t.Error("there is no such queue")
	}
	c.must(c.conn.Close())
	<-over
	want := []string{
		"refused u no such virtual host",
		"failed NOT_ALLOWED NOT_ALLOWED - vhost none not found",
		"opened u/test",
		"failed NOT_FOUND NOT_FOUND - no queue 'none' in vhost '/'",
		"closed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
