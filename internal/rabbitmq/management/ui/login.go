package ui

import (
	"net/http"
	"net/url"
	"strings"

	"coffer/internal/fault"
)

// Bounds of what a form of sign-in holds.
const maxLogin = 16 << 10

// loginPage is what the page of sign-in shows.
type loginPage struct {
	Name, Next, Reason string
	Failed             bool
}

func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request) {
	if s := h.sessions.find(r, h.cfg.Now()); s != nil && h.api.Holds(s.who) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	p := loginPage{Next: inside(r.URL.Query().Get("next"))}
	switch r.URL.Query().Get("why") {
	case "over":
		p.Reason = "Your session has ended. Please sign in again."
	case "out":
		p.Reason = "You are signed out."
	}
	h.renderLogin(w, http.StatusOK, p)
}

func (h *Handler) renderLogin(w http.ResponseWriter, code int, p loginPage) {
	h.render(w, code, "login", &view{Title: "Sign in", Data: p})
}

// login begins a session. How often it can be tried is bounded by the hashing of
// passwords, as for AMQP.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	if err := h.origin(r); err != nil {
		h.refuse(w, err)
		return
	}
	if err := r.ParseForm(); err != nil {
		h.renderLogin(w, http.StatusBadRequest, loginPage{Reason: "The form could not be read."})
		return
	}
	name, next := r.PostForm.Get("username"), inside(r.PostForm.Get("next"))
	who, err := h.api.SignIn(r.Context(), name, []byte(r.PostForm.Get("password")))
	switch {
	case fault.KindOf(err) == fault.Unauthenticated:
		h.cfg.Logger.Info("management sign-in refused")
		h.renderLogin(w, http.StatusUnauthorized, loginPage{
			Name: name, Next: next, Failed: true, Reason: "Login failed",
		})
		return
	case err != nil:
		h.cfg.Logger.Error("management sign-in failed", "error", err)
		h.renderLogin(w, http.StatusServiceUnavailable, loginPage{
			Name: name, Next: next, Failed: true, Reason: "The broker does not answer now.",
		})
		return
	}
	h.sessions.end(r) // of the user before
	h.cfg.Logger.Info("management sign-in", "user", name)
	http.SetCookie(w, baked(h.sessions.begin(who, h.cfg.Now())))
	if next == "" {
		next = "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// baked gives the cookie of a session; without a value it removes it.
func baked(value string) *http.Cookie {
	c := &http.Cookie{
		Name: cookie, Value: value, Path: "/", HttpOnly: true, Secure: true,
		SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// inside gives a path of the pages, or nothing for what leads elsewhere.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(next, "/api") {
		return ""
	}
	return next
}

// logout ends the session.
func logout(v *visit) error {
	v.h.sessions.end(v.r)
	http.SetCookie(v.w, baked(""))
	http.Redirect(v.w, v.r, "/login?why=out", http.StatusSeeOther)
	return nil
}
