package sqs

import (
	"context"

	"coffer/internal/broker"
)

// maxFree bounds the senders that a queue keeps for those who come.
const maxFree = 64

// sender is a session at the broker through which one request at a time sends: what it is
// told is about that request alone, so that no goroutine has to sort answers.
type sender struct {
	session *broker.Session
	wake    chan struct{}  // holds a token when the session has something to tell
	events  []broker.Event // room for one: a queue keeps its senders
}

// take gives a sender that nobody else uses.
func (p *place) take() *sender {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return s
	}
	p.mu.Unlock()
	s := &sender{wake: make(chan struct{}, 1), events: make([]broker.Event, 0, 1)}
	s.session = p.namespace.NewSession(broker.SessionConfig{Wake: func() {
		select {
		case s.wake <- struct{}{}:
		default: // who waits looks again anyway
		}
	}})
	return s
}

// give takes back a sender that has nothing more to tell.
func (p *place) give(s *sender) error {
	p.mu.Lock()
	if !p.gone && len(p.free) < maxFree {
		p.free = append(p.free, s)
		s = nil
	}
	p.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.session.Close(context.Background())
}

// publish sends and waits for what became of each. Once the broker has the messages the
// end of ctx does not count: they may be stored any moment.
func (p *place) publish(
	ctx context.Context, pubs []broker.Publishing, done func(*broker.Event),
) error {
	if len(pubs) == 0 {
		return nil
	}
	s := p.take()
	if err := s.session.Publish(ctx, pubs); err != nil {
		_ = s.session.Close(context.Background()) // the error of Publish says more
		return err
	}
	for n := 0; n < len(pubs); {
		s.events = s.session.Next(s.events[:0])
		if len(s.events) == 0 {
			<-s.wake
			continue
		}
		for i := range s.events {
			if e := &s.events[i]; e.Kind == broker.Published {
				done(e)
				n++
			}
		}
	}
	clear(s.events)
	return p.give(s)
}
