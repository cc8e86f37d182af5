package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/telemetry/trace"
)

var _ http.Handler = (*Gateway)(nil)

// bodyTimeout is how long a request's body may take.
const bodyTimeout = 30 * time.Second

// messageHeader gives a denied caller the sealed reason, whose text stays AWS's.
const messageHeader = "X-Coffer-Authorization-Message"

// region is the form of AWS's names of Regions. ARNs are built from it.
var region = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)

// globalRegion is where the global services live, whatever Region a client signs
// for: their events are there, and aws:RequestedRegion says so. Of STS only the
// global endpoint is, whose clients sign for it.
//
// Source: CloudTrail User Guide, "About global service management events"
const globalRegion = "us-east-1"

func homeRegion(s *service, signed string) string {
	if s.API.EventSource == "iam.amazonaws.com" {
		return globalRegion
	}
	return signed
}

// request is one HTTP request on its way.
type request struct {
	http    *http.Request
	body    []byte
	id      string
	claim   *sigv4.Claim
	service *service // nil when none is named
	op      *wire.Op
	call    *Call // nil until the signature is verified
	began   time.Time
	span    *trace.Span // nil: it is not traced
}

// ServeHTTP answers one request of the AWS APIs.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{http: r, id: uuid.NewString(), began: time.Now()}
	resp, err := guarded(func() (*wire.Response, error) { return g.serve(w, q) })
	code := ""
	if err != nil {
		resp, code = g.refusal(q, err)
	}
	h := w.Header()
	for k, v := range resp.Header {
		h[k] = v
	}
	q.end(resp.Status, code, err)
	if q.call != nil && q.call.sealed != "" {
		h.Set(messageHeader, q.call.sealed)
	}
	if n := len(resp.Body); n > 0 { // else long ones go in chunks
		h.Set("Content-Length", strconv.Itoa(n))
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
		g.cfg.Events.Answered(service, op, code, resp.Status, time.Since(q.began))
	}
}

func (g *Gateway) serve(w http.ResponseWriter, q *request) (*wire.Response, error) {
	ctx := q.http.Context()
	// Before anything is refused: the server takes in what is left of the body of
	// a refused request. Where there is no connection, as in tests, there is no
	// deadline either.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	who, err := g.claimed(q)
	if err != nil {
		return nil, err
	}
	body := g.bodies.Get().(*bytes.Buffer)
	defer g.giveBack(body)
	if err = q.read(w, body); err != nil {
		return nil, err
	}
	_ = control.SetReadDeadline(time.Time{}) // the call may take longer
	cred, err := g.authenticate(q, who)
	if err != nil {
		return nil, err
	}
	in := &wire.Request{
		Method: q.http.Method, Path: q.http.URL.EscapedPath(), RawQuery: q.http.URL.RawQuery,
		Header: q.http.Header, Body: q.body,
	}
	if q.op, err = q.route(in); err != nil {
		return nil, err
	}
	call := newCall(q, cred, who)
	q.call = call
	ctx = g.begin(ctx, q)
	out, err := g.answer(ctx, q, in, call)
	// Behind the call: its writes must not wait for this one's when it takes a key away.
	if g.cfg.Used != nil && cred.SessionToken == "" {
		uerr := g.cfg.Used(ctx, cred.AccessKeyID, cred.Service, call.Region)
		if err == nil && uerr != nil {
			return nil, uerr
		}
	}
	return out, err
}

// answer decodes a request whose caller is known, runs it and encodes what it gave.
func (g *Gateway) answer(
	ctx context.Context, q *request, in *wire.Request, call *Call,
) (*wire.Response, error) {
	input, codec := q.op.In(), q.codec()
	if err := codec.Decode(q.op, in, input); err != nil {
		if q.op.Data {
			return nil, err
		}
		call.trail = newTrail()
		call.event = g.newEvent(q.service, q.op, nil, call)
		return nil, g.refuse(ctx, q.service, call, true, err)
	}
	out, err := g.run(ctx, q.service, q.op, input, call)
	if err != nil {
		return nil, err
	}
	return codec.Encode(q.op, out, q.id)
}

// codec is that of the protocol in which the request came.
func (q *request) codec() *wire.Codec { return q.service.codec.For(q.http.Header) }

// keepBody bounds the memory of bodies that is used again, in bytes each.
const keepBody = 64 << 10

// giveBack keeps the memory of a body that nobody looks at any more. It may hold a key.
func (g *Gateway) giveBack(body *bytes.Buffer) {
	clear(body.Bytes())
	if body.Reset(); body.Cap() <= keepBody {
		g.bodies.Put(body)
	}
}

// read takes the body in.
func (q *request) read(w http.ResponseWriter, body *bytes.Buffer) error {
	if n := q.http.ContentLength; n > 0 {
		// What is said is believed as far as it goes for most requests.
		body.Grow(int(min(n, 64<<10)) + bytes.MinRead)
	}
	_, err := body.ReadFrom(http.MaxBytesReader(w, q.http.Body, q.service.MaxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &wire.Error{Code: "RequestEntityTooLarge", Status: 413,
			Message: "The request body is larger than the service accepts."}
	}
	if err != nil {
		return &wire.Error{Code: "RequestTimeout", Status: 400,
			Message: "The request body could not be read."}
	}
	q.body = body.Bytes()
	return nil
}

// route finds the operation. The signature covers the path with its dots and
// double slashes resolved, so one that has some is none of an operation.
func (q *request) route(in *wire.Request) (*wire.Op, error) {
	post, get := in.Method == http.MethodPost, in.Method == http.MethodGet
	fits := false
	switch api := q.service.API; api.Protocol {
	case "json":
		fits = post || get && api.QueryCompatible
	case "query":
		fits = post || get
	default:
		clean := path.Clean(in.Path)
		fits = in.Path == clean || in.Path == clean+"/"
	}
	if !fits {
		return nil, &wire.Error{Code: "UnknownOperationException", Status: 404}
	}
	return q.codec().Route(in)
}

func newCall(q *request, cred *sigv4.Credential, who *Identity) *Call {
	c := &Call{
		RequestID: q.id, Account: who.Principal.Account,
		Region:    homeRegion(q.service, cred.Region),
		Principal: who.Principal, UserAgent: clip(q.http.UserAgent(), maxUserAgent),
		Host:     clip(q.http.Host, maxUserAgent),
		identity: who, credential: cred, plain: q.http.TLS == nil, tls: q.http.TLS,
		http: q.http, began: q.began,
	}
	c.SourceIP, _, _ = net.SplitHostPort(q.http.RemoteAddr)
	if c.SourceIP == "" {
		c.SourceIP = q.http.RemoteAddr
	}
	return c
}

// speaker is the service in whose protocol errors are told: the request's or,
// when none was found, one that its content type fits.
func (g *Gateway) speaker(q *request) *service {
	if q.service != nil {
		return q.service
	}
	form := strings.HasPrefix(q.http.Header.Get("Content-Type"), "application/x-www-form")
	if s := g.service(func(a *wire.API) bool { return (a.Protocol == "query") == form }); s != nil {
		return s
	}
	return g.services[0]
}

// refusal renders an error.
func (g *Gateway) refusal(q *request, err error) (*wire.Response, string) {
	s := g.speaker(q)
	f := g.fault(s, err)
	code, _ := f.Fault()
	if internal(f) && !errors.Is(err, context.Canceled) {
		g.cfg.Logger.Error("request failed", "request", q.id, slog.Any("error", err))
	}
	return s.codec.For(q.http.Header).EncodeError(f, q.id), code
}
