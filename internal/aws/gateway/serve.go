package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

var _ http.Handler = (*Gateway)(nil)

// request is one HTTP request on its way.
type request struct {
	http    *http.Request
	body    []byte
	id      string
	service *service // nil when none is named
	op      *wire.Op
}

// ServeHTTP answers one request of the AWS APIs.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	q := &request{http: r, id: uuid.NewString()}
	resp, err := g.serve(w, q)
	code := ""
	if err != nil {
		resp, code = g.refusal(q, err)
	}
	h := w.Header()
	for k, v := range resp.Header {
		h[k] = v
	}
	w.WriteHeader(resp.Status)
	if _, err := w.Write(resp.Body); err != nil {
		g.cfg.Logger.Debug("client left before the answer", "request", q.id, "error", err)
	}
	if g.cfg.Events.Answered != nil {
		service, op := "", ""
		if q.service != nil {
			service = q.service.API.Name
		}
		if q.op != nil {
			op = q.op.Name
		}
		g.cfg.Events.Answered(service, op, code, resp.Status, time.Since(begin))
	}
}

func (g *Gateway) serve(w http.ResponseWriter, q *request) (*wire.Response, error) {
	ctx := q.http.Context()
	body, err := io.ReadAll(http.MaxBytesReader(w, q.http.Body, g.cfg.MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &wire.Error{Code: "RequestEntityTooLarge", Status: 413,
				Message: "The request body is larger than the service accepts."}
		}
		return nil, &wire.Error{Code: "RequestTimeout", Status: 400,
			Message: "The request body could not be read."}
	}
	q.body = body
	if q.service = g.find(q); q.service == nil {
		return nil, unknownService(q)
	}
	cred, who, err := g.authenticate(ctx, q)
	if err != nil {
		return nil, err
	}
	if cred.UnsignedPayload && q.http.TLS == nil {
		return nil, &wire.Error{Code: "InvalidSignatureException", Status: 403,
			Message: "An unsigned payload is accepted over TLS only."}
	}
	if cred.Service != q.service.API.SigningName {
		return nil, &wire.Error{Code: "SignatureDoesNotMatch", Status: 403,
			Message: "Credential should be scoped to correct service: '" +
				q.service.API.SigningName + "'."}
	}
	in := &wire.Request{
		Method: q.http.Method, Path: q.http.URL.EscapedPath(), RawQuery: q.http.URL.RawQuery,
		Header: q.http.Header, Body: body,
	}
	if q.op, err = q.service.codec.Route(in); err != nil {
		return nil, err
	}
	input := q.op.In()
	if err := q.service.codec.Decode(q.op, in, input); err != nil {
		return nil, g.invalid(ctx, q, cred, who, err)
	}
	out, err := g.run(ctx, q.service, q.op, input, newCall(q, cred, who))
	if err != nil {
		return nil, err
	}
	return q.service.codec.Encode(q.op, out, q.id)
}

// invalid records a request that was signed but could not be decoded.
func (g *Gateway) invalid(
	ctx context.Context, q *request, cred *sigv4.Credential, who *Identity, err error,
) error {
	call := newCall(q, cred, who)
	call.trail = &trail{shown: map[*audit.Event]bool{}}
	call.event = g.newEvent(q.service, q.op, nil, call)
	return g.refuse(ctx, q.service, call, true, err)
}

func newCall(q *request, cred *sigv4.Credential, who *Identity) *Call {
	c := &Call{
		RequestID: q.id, Account: who.Principal.Account, Region: cred.Region,
		Principal: who.Principal, UserAgent: q.http.UserAgent(), identity: who,
	}
	c.SourceIP, _, _ = net.SplitHostPort(q.http.RemoteAddr)
	if c.SourceIP == "" {
		c.SourceIP = q.http.RemoteAddr
	}
	if t := q.http.TLS; t != nil {
		c.tls = &audit.TLSDetails{
			TLSVersion:               strings.ReplaceAll(tls.VersionName(t.Version), " ", "v"),
			CipherSuite:              tls.CipherSuiteName(t.CipherSuite),
			ClientProvidedHostHeader: q.http.Host,
		}
	}
	return c
}

// authenticate verifies the signature and finds who made it.
func (g *Gateway) authenticate(ctx context.Context, q *request) (
	*sigv4.Credential, *Identity, error,
) {
	var who *Identity
	token := q.http.Header.Get("X-Amz-Security-Token")
	lookup := func(accessKeyID string) (sigv4.Secret, error) {
		id, err := g.ids.Identity(ctx, accessKeyID, token)
		switch {
		case fault.KindOf(err) == fault.Unauthenticated:
			return sigv4.Secret{}, sigv4.ErrUnknownKey
		case err != nil:
			return sigv4.Secret{}, err
		}
		who = id
		return id.Secret, nil
	}
	cred, err := g.verifier.Verify(q.http, q.body, lookup)
	if err != nil {
		g.cfg.Logger.Info("request refused", "request", q.id, "service", q.service.API.Name,
			"source", q.http.RemoteAddr, "reason", err.Error())
		return nil, nil, signatureFault(q.service.API, err)
	}
	return cred, who, nil
}

// find picks the service: by target header, else by the credential scope.
func (g *Gateway) find(q *request) *service {
	if target := q.http.Header.Get("X-Amz-Target"); target != "" {
		return g.service(func(a *wire.API) bool {
			_, ok := a.Target(target)
			return ok
		})
	}
	if name := scope(q.http); name != "" {
		return g.service(func(a *wire.API) bool { return a.SigningName == name })
	}
	for _, s := range g.services {
		in := &wire.Request{Method: q.http.Method, Path: q.http.URL.EscapedPath(),
			RawQuery: q.http.URL.RawQuery, Header: q.http.Header, Body: q.body}
		if _, err := s.codec.Route(in); err == nil {
			return s
		}
	}
	return nil
}

func unknownService(q *request) error {
	name := scope(q.http)
	if name == "" {
		return &wire.Error{Code: "MissingAuthenticationToken", Status: 403,
			Message: "Missing Authentication Token"}
	}
	return &wire.Error{Code: "UnknownOperationException", Status: 501,
		Message: "The service " + name + " is not implemented by Coffer."}
}

// refusal renders an error in the protocol of the service, or of the request's
// content type when no service was found.
func (g *Gateway) refusal(q *request, err error) (*wire.Response, string) {
	s := q.service
	if s == nil {
		form := strings.HasPrefix(q.http.Header.Get("Content-Type"), "application/x-www-form")
		s = g.service(func(a *wire.API) bool { return (a.Protocol == "query") == form })
	}
	f := g.fault(s, err)
	code, _ := f.Fault()
	if internal(f) {
		g.cfg.Logger.Error("request failed", "request", q.id, slog.Any("error", err))
	}
	return s.codec.EncodeError(f, q.id), code
}

// scope is the service that a request says it is for, or "".
func scope(r *http.Request) string {
	cred, err := sigv4.Parse(r)
	if err != nil {
		return ""
	}
	return cred.Service
}
