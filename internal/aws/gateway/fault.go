package gateway

import (
	"context"
	"errors"
	"net/http"

	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// codes is one row of the tables that map kinds to a protocol's codes.
type codes map[fault.Kind]struct {
	code   string
	status int
}

// jsonCodes serve JSON 1.0, 1.1 and REST JSON; the services' own exceptions
// come before it.
var jsonCodes = codes{
	fault.Invalid:         {"ValidationException", 400},
	fault.NotFound:        {"ResourceNotFoundException", 400},
	fault.Exists:          {"AlreadyExistsException", 400},
	fault.Conflict:        {"ConflictException", 409},
	fault.Denied:          {"AccessDeniedException", 400},
	fault.Unauthenticated: {"UnrecognizedClientException", 400},
	fault.KeyUnavailable:  {"KMSInvalidStateException", 400},
	fault.Exhausted:       {"ThrottlingException", 400},
	fault.Unavailable:     {"ServiceUnavailableException", 503},
	fault.NotImplemented:  {"UnknownOperationException", 501},
	fault.Internal:        {"InternalFailure", 500},
}

// restCodes are Amazon MQ's.
var restCodes = codes{
	fault.Invalid:         {"BadRequestException", 400},
	fault.NotFound:        {"NotFoundException", 404},
	fault.Exists:          {"ConflictException", 409},
	fault.Conflict:        {"ConflictException", 409},
	fault.Denied:          {"AccessDeniedException", 403},
	fault.Unauthenticated: {"UnrecognizedClientException", 403},
	fault.KeyUnavailable:  {"BadRequestException", 400},
	fault.Exhausted:       {"TooManyRequestsException", 429},
	fault.Unavailable:     {"InternalServerErrorException", 503},
	fault.NotImplemented:  {"UnknownOperationException", 501},
	fault.Internal:        {"InternalServerErrorException", 500},
}

// queryCodes serve the query protocol.
var queryCodes = codes{
	fault.Invalid:         {"ValidationError", 400},
	fault.NotFound:        {"NoSuchEntity", 404},
	fault.Exists:          {"EntityAlreadyExists", 409},
	fault.Conflict:        {"DeleteConflict", 409},
	fault.Denied:          {"AccessDenied", 403},
	fault.Unauthenticated: {"InvalidClientTokenId", 403},
	fault.KeyUnavailable:  {"KMSInvalidState", 400},
	fault.Exhausted:       {"Throttling", 400},
	fault.Unavailable:     {"ServiceUnavailable", 503},
	fault.NotImplemented:  {"NotImplemented", 501},
	fault.Internal:        {"InternalFailure", 500},
}

func codesOf(api *wire.API) codes {
	switch {
	case api.Protocol == "json":
		return jsonCodes
	case api.Protocol == "query":
		return queryCodes
	}
	return restCodes
}

// fault gives every error a code: its own if it has one, else its kind's. The
// text of an internal error stays in the log.
func (g *Gateway) fault(s *service, err error) wire.Fault {
	if u, ok := errors.AsType[wire.Unimplemented](err); ok {
		return coded(s.API, fault.NotImplemented, u.Error())
	}
	if f, ok := errors.AsType[wire.Fault](err); ok {
		return f
	}
	kind := fault.KindOf(err)
	text := "The request failed for an internal reason. Give the request id to your operator."
	if errors.Is(err, context.Canceled) {
		kind, text = fault.Unavailable, "The request was cancelled."
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && kind != fault.Internal {
		text = e.Text
	}
	return coded(s.API, kind, text)
}

// coded gives a kind the protocol's code.
func coded(api *wire.API, kind fault.Kind, text string) *wire.Error {
	row := codesOf(api)[kind]
	e := &wire.Error{Code: row.code, Status: row.status, Message: text}
	if api.QueryCompatible {
		e.Query, e.Status = queryCodes[kind].code, queryCodes[kind].status
	}
	return e
}

// internal reports whether the error is ours and its text must be logged.
func internal(f wire.Fault) bool {
	_, status := f.Fault()
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented
}

// signatureCodes names what is wrong with a signature: in query services, and
// in the others.
var signatureCodes = map[sigv4.Kind]struct {
	query, other string
	status       int // of query; the others answer 400, REST 403
}{
	sigv4.Missing: {
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", 403,
	},
	sigv4.Incomplete:     {"IncompleteSignature", "IncompleteSignatureException", 400},
	sigv4.UnknownKey:     {"InvalidClientTokenId", "UnrecognizedClientException", 403},
	sigv4.ExpiredToken:   {"ExpiredToken", "ExpiredTokenException", 403},
	sigv4.Mismatch:       {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	sigv4.Skewed:         {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	sigv4.RequestExpired: {"RequestExpired", "InvalidSignatureException", 400},
	sigv4.WrongPayload:   {"SignatureDoesNotMatch", "InvalidSignatureException", 403},
	sigv4.Unsupported:    {"NotImplemented", "NotImplemented", 501},
}

// signatureFault gives a failed signature its code in the service's protocol.
func signatureFault(api *wire.API, err error) error {
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		return err
	}
	row := signatureCodes[e.Kind]
	f := &wire.Error{Code: row.other, Status: http.StatusBadRequest, Message: e.Error()}
	switch {
	case api.Protocol == "query":
		f.Code, f.Status = row.query, row.status
	case api.QueryCompatible:
		f.Query, f.Status = row.query, row.status
	case e.Kind == sigv4.Unsupported:
		f.Status = row.status
	case api.Protocol != "json":
		f.Status = http.StatusForbidden
	}
	return f
}
