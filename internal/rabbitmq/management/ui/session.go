package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"coffer/internal/rabbitmq/management"
)

// cookie is the name of the session's. The prefix has browsers take it over TLS and for
// this host and all its paths only.
const cookie = "__Host-coffer-session"

// maxOfUser bounds the sessions of one user, so that nobody can push the others out.
const maxOfUser = 20

// key is the digest of a session's cookie: what is kept signs nobody in.
type key [sha256.Size]byte

// session is a user who signed in.
type session struct {
	who   management.Identity
	token string // that forms carry
	began time.Time

	mu   sync.Mutex
	used time.Time
	said *notice // to be shown with the next page
}

// notice is what is said about what was just done.
type notice struct {
	Bad  bool
	Text string
}

// sessions are those of a broker.
type sessions struct {
	idle, life time.Duration
	most       int

	mu  sync.Mutex
	all map[key]*session
}

// random gives 256 bits for a cookie or a form.
func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin makes a session and gives its cookie.
func (s *sessions) begin(who management.Identity, now time.Time) string {
	id := random()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(who.User(), now)
	s.all[sha256.Sum256([]byte(id))] = &session{
		who: who, token: random(), began: now, used: now,
	}
	return id
}

// makeRoom ends sessions that are over, and the one of the user, or of all, that was used
// longest ago when there are too many. It is called with mu held.
func (s *sessions) makeRoom(user string, now time.Time) {
	own := 0
	for k, x := range s.all {
		if s.over(x, now) {
			delete(s.all, k)
		} else if x.who.User() == user {
			own++
		}
	}
	if own >= maxOfUser {
		s.drop(func(x *session) bool { return x.who.User() == user })
	}
	if len(s.all) >= s.most {
		s.drop(func(*session) bool { return true })
	}
}

// drop ends the session that was used longest ago of those that fn is true for.
func (s *sessions) drop(fn func(*session) bool) {
	var oldest key
	var at time.Time
	for k, x := range s.all {
		if u := x.lastUsed(); fn(x) && (at.IsZero() || u.Before(at)) {
			oldest, at = k, u
		}
	}
	delete(s.all, oldest)
}

func (s *sessions) over(x *session, now time.Time) bool {
	return now.Sub(x.began) >= s.life || now.Sub(x.lastUsed()) >= s.idle
}

// find gives the session of a request, or nil.
func (s *sessions) find(r *http.Request, now time.Time) *session {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	k := key(sha256.Sum256([]byte(c.Value)))
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.all[k]
	if x != nil && s.over(x, now) {
		delete(s.all, k)
		return nil
	}
	return x
}

// end forgets the session of a request.
func (s *sessions) end(r *http.Request) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(c.Value)))
}

func (x *session) lastUsed() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.used
}

// touch notes that the user is there.
func (x *session) touch(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = now
}

// say keeps a notice for the next page.
func (x *session) say(n notice) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.said = &n
}

// heard takes the notice.
func (x *session) heard() *notice {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.said
	x.said = nil
	return n
}
