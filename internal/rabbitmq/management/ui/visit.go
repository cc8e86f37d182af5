package ui

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxForm bounds forms; those with a file or a message are bounded by Config.MaxBody.
const maxForm = 1 << 20

// maxLarge bounds the larger ones that are in memory at a time: none is kept on a disk,
// where nobody seals it.
const maxLarge = 2

// page is one entry of the table of pages.
type page struct {
	pattern string // of http.ServeMux
	do      func(*visit) error
	large   bool // the form may have up to Config.MaxBody
	// again shows the page with the form when do fails.
	again func(*visit) error
}

// visit is one request of a user who signed in.
type visit struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request
	s *session

	form   url.Values // the body's
	notice *notice    // shown instead of the session's
	code   int        // of the page; 0: 200
	fresh  string     // where the page is fetched anew; "": where it is
	read   bool       // the form was
	holds  bool       // a place of Handler.large
}

var (
	// errOver: the user is not signed in any more.
	errOver = errors.New("ui: the session is over")
	// errForeign: a form did not come from a page of this user.
	errForeign = errors.New("ui: the form is not of this session")
)

// serve gives the handler of a page.
func (h *Handler) serve(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{h: h, w: w, r: r, form: url.Values{}}
		defer v.release()
		err := v.run(p)
		if err != nil && p.again != nil && v.read && !errors.Is(err, errOver) {
			v.fails(err)
			err = p.again(v)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

func (v *visit) run(p page) error {
	now := v.h.cfg.Now()
	v.s = v.h.sessions.find(v.r, now)
	if v.s == nil {
		return errOver
	}
	if !v.h.api.Holds(v.s.who) {
		v.h.sessions.end(v.r)
		return errOver
	}
	if v.r.Header.Get("X-Refresh") == "" {
		v.s.touch(now)
	}
	if v.r.Method == http.MethodPost {
		if err := v.readForm(p); err != nil {
			return err
		}
		v.read = true
	}
	return p.do(v)
}

// release gives back what the visit holds.
func (v *visit) release() {
	if v.holds {
		<-v.h.large
	}
}

// readForm reads the form and checks that it is from one of the user's own pages.
func (v *visit) readForm(p page) error {
	if err := v.h.origin(v.r); err != nil {
		return err
	}
	limit := int64(maxForm)
	if p.large {
		limit = v.h.cfg.MaxBody
	}
	if p.large && (v.r.ContentLength < 0 || v.r.ContentLength > maxForm) {
		select {
		case v.h.large <- struct{}{}:
			v.holds = true
		case <-v.r.Context().Done():
			return v.r.Context().Err()
		}
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
	err := v.r.ParseForm()
	if err == nil {
		err = v.r.ParseMultipartForm(limit)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return &refusal{http.StatusRequestEntityTooLarge, "The form is too large."}
		}
		return &refusal{http.StatusBadRequest, "The form could not be read."}
	}
	v.form = v.r.PostForm
	if v.r.MultipartForm != nil {
		v.form = v.r.MultipartForm.Value
	}
	given := url.Values(v.form).Get("token")
	if subtle.ConstantTimeCompare([]byte(given), []byte(v.s.token)) != 1 {
		return errForeign
	}
	return nil
}

// origin refuses what another site sent. Browsers say where a form is from.
func (h *Handler) origin(r *http.Request) error {
	if h.guard.Check(r) != nil {
		return errForeign
	}
	o := r.Header.Get("Origin")
	if r.Header.Get("Sec-Fetch-Site") == "" && o != "" && !strings.EqualFold(o, "https://"+r.Host) {
		return errForeign // an older browser, and a site without TLS of the same name
	}
	return nil
}

// fails has the page shown again with what was wrong.
func (v *visit) fails(err error) {
	r := asRefusal(err)
	v.code, v.notice = r.code, &notice{Bad: true, Text: r.Error()}
}

// fail answers with a page that says what was wrong.
func (v *visit) fail(err error) {
	if errors.Is(err, errOver) {
		v.leave()
		return
	}
	if errors.Is(err, errForeign) {
		v.h.refuse(v.w, err)
		return
	}
	r := asRefusal(err)
	if r.code == http.StatusInternalServerError {
		v.h.cfg.Logger.Error("management page failed", "page", v.r.Pattern, "error", err)
	}
	v.code, v.notice = r.code, nil
	title := http.StatusText(r.code)
	if err := v.show("problem", title, problem{title, r.Error()}); err != nil {
		http.Error(v.w, title, r.code)
	}
}

// problem is what the page of a failure shows.
type problem struct{ Title, Text string }

// leave sends whoever is not signed in to do so, and then back.
func (v *visit) leave() {
	if _, err := v.r.Cookie(cookie); err == nil {
		http.SetCookie(v.w, baked(""))
	}
	q := url.Values{}
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
		q.Set("next", v.r.URL.RequestURI())
	}
	if v.r.Header.Get("X-Refresh") != "" {
		secure(v.w.Header())
		v.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if _, err := v.r.Cookie(cookie); err == nil {
		q.Set("why", "over")
	}
	secure(v.w.Header())
	http.Redirect(v.w, v.r, "/login?"+q.Encode(), http.StatusSeeOther)
}

// refuse answers what did not come from a page of the user.
func (h *Handler) refuse(w http.ResponseWriter, _ error) {
	h.render(w, http.StatusForbidden, "problem", &view{
		Title: "Forbidden", Data: problem{"Forbidden",
			"This form was not sent from a page of your session. Go back, reload the page, " +
				"and try again."},
	})
}

// done says what was done and goes on to a page, which a reload does not do again.
func (v *visit) done(to, format string, args ...any) error {
	v.s.say(notice{Text: fmt.Sprintf(format, args...)})
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// field gives a value of the form, or of the query.
func (v *visit) field(name string) string {
	if v.r.Method == http.MethodPost && v.form.Has(name) {
		return v.form.Get(name)
	}
	return v.r.URL.Query().Get(name)
}

// view is what every page is made of.
type view struct {
	Title, Tab string
	Page       string
	User       string
	Token      string
	Notice     *notice
	Locked     bool // the key of the broker cannot be used
	Full       bool // there is no room on the disk
	Tags       []string
	Refresh    string // where the page is fetched anew
	Form       url.Values
	Query      url.Values
	Data       any
}

// Admin reports whether the user is an administrator.
func (v *view) Admin() bool { return v.has("administrator") }

// Policymaker reports whether the user may make policies.
func (v *view) Policymaker() bool { return v.has("administrator", "policymaker") }

// Monitor reports whether the user sees what others do.
func (v *view) Monitor() bool { return v.has("administrator", "monitoring") }

func (v *view) has(tags ...string) bool {
	for _, t := range tags {
		for _, own := range v.Tags {
			if t == own {
				return true
			}
		}
	}
	return false
}

// show answers with a page.
func (v *visit) show(name, title string, data any) error {
	w := &view{
		Title: title, Tab: tabOf(name), Page: name, User: v.s.who.User(), Token: v.s.token,
		Notice: v.notice, Form: v.form, Query: v.r.URL.Query(), Data: data,
	}
	if w.Notice == nil && v.r.Header.Get("X-Refresh") == "" {
		w.Notice = v.s.heard()
	}
	if w.Refresh = v.fresh; w.Refresh == "" && v.r.Method == http.MethodGet {
		w.Refresh = v.r.URL.RequestURI()
	}
	v.state(w)
	code := v.code
	if code == 0 {
		code = http.StatusOK
	}
	return v.h.render(v.w, code, name, w)
}

// render writes a page, whole or not at all.
func (h *Handler) render(w http.ResponseWriter, code int, name string, v *view) error {
	var b bytes.Buffer
	if err := h.pages[name].ExecuteTemplate(&b, "page", v); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	secure(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // a browser that left needs nothing more
	return nil
}
