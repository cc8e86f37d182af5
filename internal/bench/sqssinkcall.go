package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// An sqsSinkConn serves one connection.
type sqsSinkConn struct {
	s    *sqsSink
	conn net.Conn
	in   *bufio.Reader
	body []byte
	out  []byte
	text []byte // of an answer
}

func (s *sqsSink) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	c := &sqsSinkConn{s: s, conn: conn, in: bufio.NewReaderSize(conn, maxHeaderLine)}
	for {
		op, err := c.request()
		if err != nil {
			return
		}
		c.text = c.text[:0]
		c.call(op)
		version := "1.1"
		if s.faults.http10 {
			version = "1.0"
		}
		if f := s.faults.answer; f != nil {
			if instead := f(op); instead != "" {
				_, err := io.WriteString(conn, instead)
				if err != nil {
					return
				}
				continue
			}
		}
		c.out = fmt.Appendf(c.out[:0],
			"HTTP/%s 200 OK\r\nServer: sink\r\nContent-Length: %d\r\n\r\n", version, len(c.text))
		if _, err := conn.Write(append(c.out, c.text...)); err != nil || s.faults.http10 {
			return
		}
	}
}

// request reads one and gives its operation.
func (c *sqsSinkConn) request() (op string, err error) {
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case is(name, "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length > maxAnswer {
				return "", errHTTP
			}
		case is(name, "X-Amz-Target"):
			_, kind, _ := bytes.Cut(value, []byte("."))
			op = string(kind)
		}
	}
	c.body = grown(c.body, length)
	_, err = io.ReadFull(c.in, c.body)
	return op, err
}

// call appends the answer of an operation to text.
func (c *sqsSinkConn) call(op string) {
	s := scan{c.body}
	if op == "CreateQueue" {
		name, _ := s.next("QueueName", "QueueName")
		c.s.mu.Lock()
		c.s.queues[string(name)] = newTextQueue()
		c.s.mu.Unlock()
		c.text = fmt.Appendf(c.text, `{"QueueUrl":"%s"}`, name)
		return
	}
	name, _ := s.next("QueueUrl", "QueueUrl")
	c.s.mu.Lock()
	q := c.s.queues[string(name)]
	c.s.mu.Unlock()
	if q == nil {
		return // the run was told of no such queue
	}
	switch op {
	case "SendMessage", "SendMessageBatch":
		c.send(q, &s)
	case "ReceiveMessage":
		var in struct{ MaxNumberOfMessages, WaitTimeSeconds int }
		if json.Unmarshal(c.body, &in) == nil {
			c.receive(q, in.MaxNumberOfMessages, time.Duration(in.WaitTimeSeconds)*time.Second)
		}
	default:
		c.settle(&s)
	}
}

func newTextQueue() *textQueue { return &textQueue{waiting: make(chan struct{})} }

// wake tells those who wait that something is there. The sink's lock is held.
func (q *textQueue) wake() {
	close(q.waiting)
	q.waiting = make(chan struct{})
}

// send keeps the texts of a request.
func (c *sqsSinkConn) send(q *textQueue, s *scan) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for {
		text, _ := s.next("MessageBody", "MessageBody")
		if text == nil {
			break
		}
		times := 1
		if f := c.s.faults.deliver; f != nil {
			times = f(c.s.sends)
		}
		if c.s.sends++; c.s.sends == c.s.faults.idle {
			c.s.cutOthers(c.conn)
		}
		for range times {
			q.texts = append(q.texts, bytes.Clone(text))
		}
		c.text = append(c.text, `{"MessageId":"x","MD5OfMessageBody":"x"}`...)
	}
	q.wake()
}

// cutOthers closes all connections but one. The sink's lock is held.
func (s *sqsSink) cutOthers(one net.Conn) {
	for conn := range s.conns {
		if conn != one {
			conn.Close()
		}
	}
}

// receive gives up to n texts, and waits for the first of them.
func (c *sqsSinkConn) receive(q *textQueue, n int, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	c.s.mu.Lock()
	for late := false; len(q.texts) == 0 && !late && !c.s.closed; {
		waiting := q.waiting
		c.s.mu.Unlock()
		select {
		case <-waiting:
		case <-timer.C:
			late = true
		}
		c.s.mu.Lock()
	}
	n = min(n, len(q.texts))
	texts := q.texts[:n:n]
	q.texts = q.texts[n:]
	c.s.mu.Unlock()
	for _, text := range texts {
		c.text = append(c.text, `{"ReceiptHandle":"x","Body":"`...)
		c.text = append(append(c.text, text...), `"}`...)
	}
}

// settle answers what deletes.
func (c *sqsSinkConn) settle(s *scan) {
	for {
		id, _ := s.next("Id", "Id")
		if id == nil {
			return
		}
		c.text = append(append(append(c.text, `{"Id":"`...), id...), `"}`...)
	}
}
