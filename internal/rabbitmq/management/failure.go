package management

import (
	"errors"
	"net/http"

	"coffer/internal/fault"
)

// failure is an answer that says what was wrong, as RabbitMQ's: {"error", "reason"}.
type failure struct {
	status int
	code   string
	reason any // a text, or a list such as ["not_boolean", 7]
}

// Error is for logs; it holds nothing of the request.
func (f *failure) Error() string { return f.code }

// errGone: the client does not read the answer.
var errGone = errors.New("management: the client has left")

func badRequest(reason any) *failure {
	return &failure{http.StatusBadRequest, "bad_request", reason}
}

func missing() *failure {
	return &failure{http.StatusNotFound, "Object Not Found", "Not Found"}
}

func notAuthorised(reason string) *failure {
	return &failure{http.StatusUnauthorized, "not_authorised", reason}
}

// notBuilt is the answer of routes that RabbitMQ has and Coffer has not.
func notBuilt(what string) *failure {
	return &failure{http.StatusNotImplemented, "not_implemented", what + " is not implemented"}
}

// fail answers with an error.
func (c *call) fail(err error) {
	if c.answer.code != 0 || errors.Is(err, errGone) {
		return
	}
	f := asFailure(err)
	if f.status == http.StatusInternalServerError {
		c.h.cfg.Logger.Error("management request failed", "request", c.serial,
			"route", c.route, "error", err)
	}
	body := map[string]any{"error": f.code, "reason": f.reason}
	if c.answer.json(f.status, body) != nil && c.answer.code == 0 {
		c.answer.status(http.StatusInternalServerError)
	}
}

// asFailure gives any error its status. What has no kind keeps its text to itself.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	text := ""
	if e, ok := errors.AsType[*fault.Error](err); ok {
		text = e.Text
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Exists, fault.Conflict:
		return badRequest(text)
	case fault.NotFound:
		return &failure{http.StatusNotFound, "not_found", text}
	case fault.Denied, fault.Unauthenticated:
		return notAuthorised(text)
	case fault.KeyUnavailable, fault.Unavailable, fault.Exhausted:
		return &failure{http.StatusServiceUnavailable, "unavailable", text}
	case fault.NotImplemented:
		return &failure{http.StatusNotImplemented, "not_implemented", text}
	}
	return &failure{http.StatusInternalServerError, "internal_error", "Internal Server Error"}
}
