package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// refusal is an answer of the API that is not what was asked for.
type refusal struct {
	code int
	text string
}

// Error is what users are told.
func (r *refusal) Error() string { return r.text }

// asRefusal gives any error a status and a text for users.
func asRefusal(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{http.StatusInternalServerError, "Something went wrong. The log tells more."}
}

// wrong is the refusal of a form.
func wrong(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// path makes a path of the API of names, whatever is in them. A name must not be empty.
func path(base string, names ...string) string {
	for _, n := range names {
		base += "/" + url.PathEscape(n)
	}
	return "/api/" + base
}

// answer holds what the API answers.
type answer struct {
	head http.Header
	code int
	body bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.head }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

// get asks the API for what is at a path and reads it into out.
func (v *visit) get(path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	a, err := v.ask(http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return a.read(out)
}

// change asks the API to do something. The body is written as JSON, unless it is nil.
func (v *visit) change(method, path string, body, out any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	a, err := v.ask(method, path, text, nil)
	if err != nil || out == nil {
		return err
	}
	return a.read(out)
}

// ask sends a request to the API as the user of the session.
func (v *visit) ask(method, path string, body []byte, head http.Header) (*answer, error) {
	if strings.Contains(path, "//") || strings.HasSuffix(path, "/") ||
		strings.Contains(path, "/?") {
		return nil, wrong("A name is missing.")
	}
	r, err := http.NewRequestWithContext(v.r.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("request of the API: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, list := range head {
		r.Header[k] = list
	}
	r.RemoteAddr, r.Host, r.TLS = v.r.RemoteAddr, v.r.Host, v.r.TLS
	a := &answer{head: http.Header{}}
	v.h.api.ServeAs(a, r, v.s.who)
	if a.code == http.StatusUnauthorized && !v.h.api.Holds(v.s.who) {
		v.h.sessions.end(v.r)
		return nil, errOver
	}
	if a.code >= http.StatusMultipleChoices {
		return nil, a.refused()
	}
	return a, nil
}

// refused gives what the API says was wrong.
func (a *answer) refused() *refusal {
	var said struct{ Reason any }
	if json.Unmarshal(a.body.Bytes(), &said) != nil || said.Reason == nil {
		return &refusal{a.code, http.StatusText(a.code)}
	}
	text := reason(said.Reason)
	if text == "Not Found" {
		text = "There is no such thing, or there is none any more."
	}
	return &refusal{a.code, html.UnescapeString(text)} // the API escapes some texts
}

// reason writes what the API says: a text, or a list that begins with a word of Erlang's.
func reason(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	var parts []string
	for i, x := range list {
		part := fmt.Sprint(x)
		if i == 0 {
			part = strings.ReplaceAll(part, "_", " ")
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ": ")
}

// read decodes an answer. What it does not name is left out.
func (a *answer) read(out any) error {
	d := json.NewDecoder(&a.body)
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("answer of the API: %w", err)
	}
	return nil
}

// state asks how the broker is, and who the user is now.
func (v *visit) state(w *view) {
	var who struct{ Tags []string }
	if v.get("/api/whoami", nil, &who) == nil {
		w.Tags = who.Tags
	}
	w.Locked = v.ill("/api/health/checks/virtual-hosts")
	w.Full = v.ill("/api/health/checks/alarms")
}

// ill reports whether a health check fails.
func (v *visit) ill(check string) bool {
	_, err := v.ask(http.MethodGet, check, nil, nil)
	r, ok := errors.AsType[*refusal](err)
	return ok && r.code == http.StatusServiceUnavailable
}
