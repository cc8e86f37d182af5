package management

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"coffer/internal/broker"
)

// call is one request on its way.
type call struct {
	h      *Handler
	r      *http.Request
	as     *Identity // nil: whose credentials the request has
	answer answer
	serial uint64
	began  time.Time
	route  string // the pattern; "": none

	vars  map[string]string
	query url.Values
	user  string
	tags  []string
	holds bool     // a token of Handler.large
	known *clients // nil: not looked at yet
}

// run finds the route, lets the user in and answers.
func (c *call) run() error {
	if err := c.h.guard.Check(c.r); err != nil {
		return &failure{http.StatusForbidden, "forbidden", "cross-origin request refused"}
	}
	at, vars, ok := c.h.routes.find(c.r.URL.EscapedPath())
	if !ok {
		return missing()
	}
	c.route, c.vars = at.path, vars
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method == http.MethodOptions {
		c.answer.w.Header().Set("Allow", at.methods.allowed())
		c.answer.status(http.StatusOK)
		return nil
	}
	do, ok := at.methods[method]
	if !ok {
		c.answer.w.Header().Set("Allow", at.methods.allowed())
		return &failure{http.StatusMethodNotAllowed, "method_not_allowed",
			"Method " + c.r.Method + " is not allowed here"}
	}
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return badRequest("Query parameters are invalid")
	}
	if err := c.enter(do.level); err != nil {
		return err
	}
	return do.do(c)
}

// namespace gives the virtual host that the path names. A missing one is not found.
func (c *call) namespace() (*broker.Namespace, error) {
	ns, ok := c.h.broker.Namespace(c.vars["vhost"])
	if !ok {
		return nil, missing()
	}
	return ns, nil
}

// release gives back what the call holds.
func (c *call) release() {
	if c.holds {
		<-c.h.large
	}
}

// log notes what was asked: the pattern of the route, never its variables, its query,
// its body or its credentials.
func (c *call) log() {
	l := c.h.cfg.Logger
	args := []any{"request", c.serial, "user", c.user, "method", c.r.Method, "route", c.route,
		"status", c.answer.code, "took", time.Since(c.began)}
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	if reads && c.answer.code < http.StatusInternalServerError {
		l.Debug("management request", args...)
		return
	}
	l.Info("management request", args...)
}

// has reports whether the user has one of the tags.
func (c *call) has(tags ...string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(c.tags, t) })
}

// answer writes the response, once.
type answer struct {
	w    http.ResponseWriter
	code int // 0: not yet
}

func (a *answer) status(code int) {
	a.code = code
	a.w.WriteHeader(code)
}

// json answers with a value. What cannot be encoded is our fault.
func (a *answer) json(code int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	a.w.Header().Set("Content-Type", "application/json")
	a.code = code
	a.w.WriteHeader(code)
	_, err = a.w.Write(text)
	if err != nil {
		return errGone
	}
	return nil
}
