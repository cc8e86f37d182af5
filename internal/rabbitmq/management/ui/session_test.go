package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/rabbittest"
)

// guest adds a user with every permission in "/".
func (w *world) guest(name, password string, tags ...string) {
	w.t.Helper()
	_, err := w.broker.PutUser(w.t.Context(), rabbitmq.UserSpec{
		Name: name, Password: []byte(password), Tags: tags,
	})
	must(w.t, err)
	_, err = w.broker.PutPermission(w.t.Context(), rabbitmq.Permission{
		User: name, Vhost: "/", Configure: ".*", Write: ".*", Read: ".*",
	})
	must(w.t, err)
}

// TestSignIn: who has no session is sent to sign in, and then to where it wanted to go.
func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.guest("plain", "a-password-1")
	b := w.browser()
	s := b.get("/queues", "name", "x")
	s.shows(t, 200, `name="next" value="/queues?name=x"`)
	s.hides(t, "Sign out")
	for user, password := range map[string]string{
		rabbittest.User: "wrong", "nobody": rabbittest.Password, "": "", "plain": "a-password-1",
	} {
		s := b.signIn(user, password)
		s.shows(t, 401, "Login failed")
		s.hides(t, `"`+rabbittest.Password+`"`)
	}
	s = b.post("/login", url.Values{
		"username": {rabbittest.User}, "password": {rabbittest.Password},
		"next": {"/queues?name=x"},
	})
	if s.shows(t, 200, "Sign out"); s.path != "/queues?name=x" {
		t.Errorf("went on to %s", s.path)
	}
	if s = b.get("/login"); s.path != "/" {
		t.Errorf("who is signed in is asked to: %s", s.path)
	}
	if strings.Contains(w.log.String(), rabbittest.Password) {
		t.Error("the log holds a password")
	}
}

// TestCookie: the cookie is for this host, TLS and this site only, and not for scripts.
func TestCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.browser()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	s := b.signIn(rabbittest.User, rabbittest.Password)
	got := s.head.Get("Set-Cookie")
	for _, part := range []string{
		"__Host-coffer-session=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("cookie %q has no %q", got, part)
		}
	}
	if strings.Contains(got, "Domain") || s.code != http.StatusSeeOther {
		t.Errorf("%d %q", s.code, got)
	}
	s = b.form("/logout")
	if s.code != http.StatusForbidden {
		t.Errorf("sign out without a token: %d", s.code)
	}
	b.get("/")
	s = b.form("/logout")
	if !strings.Contains(s.head.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("sign out: %d %v", s.code, s.head)
	}
}

// TestNextStaysInside: sign-in leads to no other site.
func TestNextStaysInside(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/queues?name=a%2Fb": "/queues?name=a%2Fb", "": "", "//evil.example": "",
		"https://evil.example/": "", "/\\evil.example": "", "javascript:alert(1)": "",
		"/%09/evil.example": "/%09/evil.example", "/\t/evil.example": "", "queues": "",
		"/api/definitions": "", "///evil.example": "",
	} {
		if got := inside(next); got != want {
			t.Errorf("next %q is %q, not %q", next, got, want)
		}
	}
}

// TestSessionEnds: a session ends when it is not used, when it is old, with sign-out, and
// with the user's password; not with its tags, which are looked at each time.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Idle: 10 * time.Minute, Lifetime: time.Hour})
	in := func(b *browser) bool {
		t.Helper()
		return strings.Contains(b.get("/queues").text, "Sign out")
	}
	idle, old := w.signedIn(), w.signedIn()
	for range 6 {
		w.advance(9 * time.Minute)
		if !in(old) {
			t.Fatal("a session that is used ended")
		}
	}
	if in(idle) {
		t.Error("a session that is not used goes on")
	}
	w.advance(6 * time.Minute)
	if in(old) {
		t.Error("a session goes on for ever")
	}
	w.guest("ann", "a-password-1", "management")
	ann := w.browser()
	ann.signIn("ann", "a-password-1").shows(t, 200, "Overview")
	w.guest("ann", "a-password-2", "monitoring")
	if in(ann) {
		t.Error("a session outlives its password")
	}
	ann.signIn("ann", "a-password-2").shows(t, 200, "Overview")
	must(t, w.broker.DeleteUser(t.Context(), "ann"))
	if in(ann) {
		t.Error("a session outlives its user")
	}
	out := w.signedIn()
	out.form("/logout").shows(t, 200, "You are signed out.")
	if in(out) {
		t.Error("a session goes on after sign-out")
	}
}

// TestRefreshKeepsNothing: a page that fetches itself anew keeps no session alive.
func TestRefreshKeepsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Idle: 10 * time.Minute})
	b := w.signedIn()
	ask := func() seen {
		r, err := http.NewRequest(http.MethodGet, w.site.URL+"/queues", nil)
		must(t, err)
		r.Header.Set("X-Refresh", "1")
		return b.do(r)
	}
	w.advance(9 * time.Minute)
	ask().shows(t, 200, "Queues")
	w.advance(2 * time.Minute)
	ask().shows(t, 401)
}

// TestManySessions: one user cannot push the others out, and there are never too many.
func TestManySessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{MaxSessions: 2 * maxOfUser})
	w.guest("ann", "a-password-1", "management")
	first := w.signedIn()
	for range 3 * maxOfUser {
		w.advance(time.Second)
		w.browser().signIn("ann", "a-password-1").shows(t, 200)
	}
	if n := len(w.pages.sessions.all); n > maxOfUser+1 {
		t.Errorf("%d sessions", n)
	}
	first.get("/queues").shows(t, 200, "Sign out")
}

// TestForms: what changes something needs the token of the session and comes from here.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b, other := w.signedIn(), w.signedIn()
	queue := url.Values{"vhost": {"/"}, "queue": {"q"}}
	refused := func(name string, token string, head http.Header) {
		t.Helper()
		v := url.Values{"vhost": {"/"}, "queue": {"q"}, "token": {token}}
		r, err := http.NewRequest(http.MethodPost, w.site.URL+"/queues",
			strings.NewReader(v.Encode()))
		must(t, err)
		for k, list := range head {
			r.Header[k] = list
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if s := b.do(r); s.code != http.StatusForbidden {
			t.Errorf("%s: %d", name, s.code)
		}
	}
	token := b.token
	refused("no token", "", nil)
	refused("another session's token", other.token, nil)
	refused("another site", token, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	refused("a site beside", token, http.Header{"Sec-Fetch-Site": {"same-site"}})
	refused("another origin", token, http.Header{"Origin": {"https://evil.example"}})
	refused("no origin", token, http.Header{"Origin": {"null"}})
	refused("without TLS", token, http.Header{
		"Origin": {strings.Replace(w.site.URL, "https:", "http:", 1)},
	})
	b.get("/queues").shows(t, 200, "There are no queues.")
	queue.Set("token", token)
	b.post("/queues", queue).shows(t, 200, "is declared")
	// The query holds no token, whatever it says.
	b.post("/queue/delete?vhost=/&queue=q&token="+token, url.Values{}).shows(t, 403)
	for path := range map[string]bool{"/queue/delete": true, "/queue/purge": true} {
		if s := b.get(path, "vhost", "/", "queue", "q", "token", token); s.code != 404 &&
			s.code != 405 {
			t.Errorf("GET %s: %d", path, s.code)
		}
	}
	b.get("/queue", "vhost", "/", "queue", "q").shows(t, 200, "Purge")
}

// TestLoginForms: a sign-in comes from the page of sign-in.
func TestLoginForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	r, err := http.NewRequest(http.MethodPost, w.site.URL+"/login", strings.NewReader(
		url.Values{"username": {rabbittest.User}, "password": {rabbittest.Password}}.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w.browser().do(r).shows(t, 403, "not sent from a page")
	w.browser().post("/login", url.Values{"username": {strings.Repeat("x", 2*maxLogin)}}).
		shows(t, 400, "could not be read")
}

// TestHeaders: pages hold no foreign scripts, are shown in no frame and kept by nobody.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	for _, path := range []string{"/", "/queues", "/login", "/queue"} {
		s := b.get(path)
		csp := s.head.Get("Content-Security-Policy")
		for _, part := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
		} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q has no %q", path, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Content-Type": "text/html; charset=utf-8",
		} {
			if got := s.head.Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", path, name, got, want)
			}
		}
		s.hides(t, "<style", "style=\"", "onclick", "javascript:", "http://", "https://")
	}
	for _, file := range []string{"/static/app.js", "/static/style.css", "/static/icon.svg"} {
		if s := b.get(file); s.code != 200 || s.head.Get("X-Content-Type-Options") == "" {
			t.Errorf("%s: %d %v", file, s.code, s.head)
		}
	}
	b.get("/static/").shows(t, 404)
	b.get("/static/page").shows(t, 404)
}

// TestAPIBeside: the API is where it was, and takes no cookie.
func TestAPIBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	b := w.signedIn()
	if s := b.get("/api/whoami"); s.code != 401 || s.head.Get("WWW-Authenticate") == "" {
		t.Errorf("with a cookie: %d %v", s.code, s.head)
	}
	r, err := http.NewRequest(http.MethodGet, w.site.URL+"/api/queues/%2F", nil)
	must(t, err)
	r.SetBasicAuth(rabbittest.User, rabbittest.Password)
	if s := w.browser().do(r); s.code != 200 || s.text != "[]" {
		t.Errorf("with a password: %d %s", s.code, s.text)
	}
	r, err = http.NewRequest(http.MethodGet, w.site.URL+"/api/queues/%2F/..//", nil)
	must(t, err)
	if s := b.do(r); s.path != "/api/queues/%2F/..//" {
		t.Errorf("a path of the API is changed to %s", s.path)
	}
	if s := b.get("/nothing"); s.code != 404 {
		t.Errorf("nothing: %d", s.code)
	}
}
