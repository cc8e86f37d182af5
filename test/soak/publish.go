package soak

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"coffer/test/ledger"
)

// beat is the time between two looks at what is due.
const beat = 5 * time.Millisecond

// sending is one publisher over all its connections.
type sending struct {
	*traffic
	flow *flow
	rng  *rand.Rand

	out publisher // of this connection
	me  uint32
	at  []atomic.Int64 // when a message was sent, by its number modulo the length

	sent  int
	told  atomic.Int64
	room  chan struct{} // something was told
	ended chan struct{} // closed when nothing is told any more, as why says
	why   error
}

// session publishes until the connection ends, it is time to leave, or publishers are
// to end. Then all that was sent is told of.
func (s *sending) session(ctx context.Context, p *place) (done bool, err error) {
	f := s.flow
	if s.out, err = f.client.publish(ctx, f.at(p), f.queue); err != nil {
		return false, err
	}
	s.me, s.at = s.ledger.Publisher(), make([]atomic.Int64, 2*f.window)
	s.room, s.ended = make(chan struct{}, 1), make(chan struct{})
	s.sent = 0
	s.told.Store(0)
	go func() {
		defer close(s.ended)
		s.why = s.listen()
	}()
	done, err = s.send(f.quota(s.rng))
	if err == nil {
		err = s.rest(ctx)
	}
	closeErr := s.out.close(err == nil)
	<-s.ended
	if err == nil {
		err = closeErr
	}
	return done, err
}

// send sends what is due, at most quota messages.
func (s *sending) send(quota int) (done bool, err error) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	filler := make([]byte, s.flow.size)
	for i := range filler {
		filler[i] = byte('a' + s.rng.IntN(26))
	}
	var body []byte
	begun, paced, pace := time.Now(), 0, s.flow.pace.Load()
	for s.sent < quota {
		if now := s.flow.pace.Load(); now != pace || time.Since(begun) > time.Second {
			begun, paced, pace = time.Now(), 0, now
		}
		due := s.flow.window
		if pace > 0 {
			due = int(time.Since(begun).Seconds()*float64(pace)) - paced
		}
		due = min(due, s.flow.window-(s.sent-int(s.told.Load())))
		if s.flow.behind() > maxBehind {
			due = 0
		}
		for range due {
			id := s.ledger.Sending(s.me, true, []string{s.flow.queue})
			body = ledger.AppendBody(body[:0], id, filler)
			s.at[id.Seq%uint64(len(s.at))].Store(time.Now().UnixNano())
			if err := s.out.send(body); err != nil {
				return false, err
			}
			s.sent++
			paced++
		}
		if err := s.out.flush(); err != nil {
			return false, err
		}
		woken := s.room
		if pace > 0 {
			woken = nil
		}
		select {
		case <-tick.C:
		case <-woken:
		case <-s.ended:
			return false, s.why
		case <-s.stopping:
			return true, nil
		}
	}
	return false, nil
}

// listen takes what the broker says until the connection ends.
func (s *sending) listen() error {
	last := uint64(0)
	for {
		v, err := s.out.told()
		if err != nil {
			return err
		}
		if v.seq == 0 {
			continue
		}
		now := time.Now()
		from := v.seq
		if v.multiple {
			from = min(v.seq, last+1)
		}
		for n := from; n <= v.seq; n++ {
			s.verdict(n, v.ok, now)
		}
		last = max(last, v.seq)
		s.told.Store(int64(s.ledger.Told(s.me, v.seq, v.multiple, v.ok)))
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
}

// verdict counts what was said of one message. To refuse it there must be a reason.
func (s *sending) verdict(seq uint64, ok bool, now time.Time) {
	sent := time.Unix(0, s.at[seq%uint64(len(s.at))].Load())
	switch {
	case ok:
		s.latency.add(now.Sub(sent))
		s.flow.confirmed.Add(1)
	case s.flow.sealed && s.weather.was(locked, sent):
		s.refused.Add(1)
	default:
		s.addf("publish %s: message %d was refused", s.flow.queue, seq)
	}
}

// rest waits until all that was sent is told of.
func (s *sending) rest(ctx context.Context) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for int(s.told.Load()) < s.sent {
		select {
		case <-s.room:
		case <-s.ended:
			return s.why
		case <-late.C:
			s.addf("publish %s: %d messages were not told of in %v", s.flow.queue,
				s.sent-int(s.told.Load()), patience)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
