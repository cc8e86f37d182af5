package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// pipe speaks Chromium's debugging protocol: JSON, each message ended by a zero.
type pipe struct {
	to    io.WriteCloser
	event func(method string, session string, params json.RawMessage)

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	broken  error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

var errClosed = errors.New("browser: the pipe is closed")

// read takes messages until the browser ends.
func (p *pipe) read(from io.Reader) {
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			p.end()
			return
		}
		var m struct {
			ID        int
			Method    string
			SessionID string `json:"sessionId"`
			Params    json.RawMessage
			answer
		}
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) != nil {
			continue
		}
		if m.ID == 0 {
			p.event(m.Method, m.SessionID, m.Params)
			continue
		}
		p.mu.Lock()
		c := p.waiting[m.ID]
		delete(p.waiting, m.ID)
		p.mu.Unlock()
		if c != nil {
			c <- m.answer
		}
	}
}

// end fails whoever waits.
func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = errClosed
	for id, c := range p.waiting {
		close(c)
		delete(p.waiting, id)
	}
}

// send asks for something; the answer comes through the channel, which is closed when
// the browser ends before.
func (p *pipe) send(session, method string, params any) (<-chan answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return nil, p.broken
	}
	p.last++
	text, err := json.Marshal(map[string]any{
		"id": p.last, "method": method, "params": params,
	})
	if session != "" && err == nil {
		text, err = json.Marshal(map[string]any{
			"id": p.last, "method": method, "params": params, "sessionId": session,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	c := make(chan answer, 1)
	p.waiting[p.last] = c
	if _, err := p.to.Write(append(text, 0)); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return c, nil
}
