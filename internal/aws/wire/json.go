package wire

import (
	"bytes"
	"net/http"
	"sync"
)

// jsonProtocol is AWS JSON 1.0 and 1.1: the operation in a header, everything
// else in one JSON object.
type jsonProtocol struct {
	api     *API
	scratch sync.Pool // of *[]byte, in which answers grow
}

// maxScratch bounds the memory that is kept for answers, in bytes each.
const maxScratch = 64 << 10

var (
	_ protocol = (*jsonProtocol)(nil)
	_ client   = (*jsonProtocol)(nil)
)

func (p *jsonProtocol) codes() (invalid, malformed string) {
	return "ValidationException", "SerializationException"
}

func (p *jsonProtocol) route(r *Request) (*Op, error) {
	name, ok := p.api.Target(r.Header.Get("X-Amz-Target"))
	if ok {
		if op, found := p.api.Op(name); found {
			return op, nil
		}
	}
	return nil, &UnknownOperationError{code: "UnknownOperationException", status: 400}
}

func (p *jsonProtocol) header() http.Header {
	return http.Header{"Content-Type": {"application/x-amz-json-" + p.api.JSONVersion}}
}

func (p *jsonProtocol) decodeRequest(c *checker, _ *Op, r *Request, in value) error {
	return decodeBody(c, r.Body, in, p.api.QueryCompatible)
}

func (p *jsonProtocol) decodeResponse(c *checker, _ *Op, r *Response, out value) error {
	return decodeBody(c, r.Body, out, false)
}

// decodeBody reads a document; loose lets numbers and truth values stand for texts, which
// all are in the query protocol.
func decodeBody(c *checker, body []byte, v value, loose bool) error {
	d := jsonDecoder{jsonScanner: jsonScanner{b: body}, checker: c, loose: loose}
	var s seen
	if err := d.document(v, &s); err != nil {
		return err
	}
	c.required(v.plan, &s)
	return nil
}

func (p *jsonProtocol) encodeResponse(op *Op, out value, _ string) (*Response, error) {
	b, ok := p.scratch.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	*b = appendJSON((*b)[:0], out, false)
	body := bytes.Clone(*b)
	if clear(*b); cap(*b) <= maxScratch { // it may have held a key
		p.scratch.Put(b)
	}
	return &Response{op.status(), p.header(), body}, nil
}

func (p *jsonProtocol) encodeRequest(op *Op, in value) (*Request, error) {
	h := p.header()
	h.Set("X-Amz-Target", p.api.TargetPrefix+"."+op.Name)
	return &Request{Method: "POST", Path: "/", Header: h, Body: appendJSON(nil, in, false)}, nil
}

func (p *jsonProtocol) encodeError(e *problem) *Response {
	b := append(appendQuoted([]byte(`{"__type":`), e.code), ',')
	h := p.header()
	if p.api.QueryCompatible {
		blame := "Sender"
		if e.status >= 500 {
			blame = "Receiver"
		}
		h.Set("X-Amzn-Query-Error", e.query+";"+blame)
	}
	return &Response{e.status, h, appendProblem(b, e)}
}

// appendProblem ends an error's object: an exception's members, or a message.
func appendProblem(b []byte, e *problem) []byte {
	if e.members.plan != nil {
		b = appendMembers(b, e.members, true)
	} else if e.message != "" {
		b = append(append(appendQuoted(b, "message"), ':'), appendQuoted(nil, e.message)...)
		b = append(b, ',')
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, '}')
}
