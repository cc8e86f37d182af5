package soak

import (
	"regexp"
	"sync"
	"time"
)

// effect is what a disturbance does to clients.
type effect string

const (
	down   effect = "down"   // the process ends and starts again
	locked effect = "locked" // the sealed broker's key cannot be used
	signer effect = "signer" // certificates come to be of another authority
)

// excuses says which errors of clients an effect explains. All others are findings.
var excuses = map[effect]*regexp.Regexp{
	down: regexp.MustCompile(`EOF|connection reset by peer|connection refused|broken pipe` +
		`|use of closed network connection|CONNECTION_FORCED|channel/connection is not open` +
		`|endpoints.json: no such file|nothing runs on|amqp:connection:forced` +
		`|amqp: connection closed|server closed`),
	locked: regexp.MustCompile(`RESOURCE_ERROR.*(disabled|suspended|policy)` +
		`|the message is refused|(?s)broker\.state.* 1 errors,`),
	// A client may have read ca.pem before there were two in it.
	signer: regexp.MustCompile(`certificate signed by unknown authority`),
}

// weather knows which effects there are when.
type weather struct {
	mu     sync.Mutex
	spells map[effect][]*spell
}

// spell is how long an effect lasts; to is zero until it ends.
type spell struct{ from, to time.Time }

// begin notes that an effect begins, before anything is done, and gives what notes its
// end, after all is well again.
func (w *weather) begin(e effect) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &spell{from: time.Now()}
	if w.spells == nil {
		w.spells = map[effect][]*spell{}
	}
	w.spells[e] = append(w.spells[e], s)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.to = time.Now()
	}
}

// was reports whether an effect may have met what began at from and ended now.
func (w *weather) was(e effect, from time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.spells[e]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].to.IsZero() || list[i].to.After(from) {
			return true
		}
	}
	return false
}

// excused gives the effect that explains an error of something that began at from.
func (w *weather) excused(err error, from time.Time) (effect, bool) {
	for e, pattern := range excuses {
		if pattern.MatchString(err.Error()) && w.was(e, from) {
			return e, true
		}
	}
	return "", false
}
