package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// restProtocol is AWS REST JSON: method and path name the operation, members
// travel in the path, the query string, headers, the status and a JSON body.
type restProtocol struct{ routes *routes }

var (
	_ protocol = (*restProtocol)(nil)
	_ client   = (*restProtocol)(nil)
)

// newREST checks that every member has a place that is implemented.
func newREST(c *Codec) (protocol, error) {
	rs, err := compileRoutes(c.api.Ops)
	if err != nil {
		return nil, err
	}
	for t, p := range c.types {
		for _, f := range p.fields {
			if !f.placed() {
				return nil, fmt.Errorf("%s: place of member %s is not implemented", t, f.name)
			}
		}
	}
	return &restProtocol{rs}, nil
}

// placed says whether the member's type can travel where the model puts it.
func (f *fieldPlan) placed() bool {
	switch f.where {
	case inPayload:
		return f.kind == kindBlob || f.kind == kindString || f.kind == kindStruct
	case inHeaders:
		return f.kind == kindMap && f.elem.kind == kindString
	case inStatus:
		return f.kind == kindInt
	case inBody:
		return true
	}
	return f.leaf() || f.kind == kindList && f.elem.leaf()
}

func (p *restProtocol) codes() (invalid, malformed string) {
	return "BadRequestException", "BadRequestException"
}

func (p *restProtocol) route(r *Request) (*Op, error) {
	if op, ok := p.routes.find(r.Method, r.Path); ok {
		return op, nil
	}
	return nil, &UnknownOperationError{code: "UnknownOperationException", status: 404}
}

func (p *restProtocol) decodeRequest(c *checker, op *Op, r *Request, in value) error {
	labels, ok := p.routes.byOp[op.Name].match(r.Path)
	if !ok {
		return fmt.Errorf("the path is not that of %s", op.Name)
	}
	query, err := url.ParseQuery(r.RawQuery)
	if err != nil {
		return fmt.Errorf("could not parse the query string: %w", err)
	}
	b := restBinder{checker: c}
	for i := range in.plan.fields {
		f := &in.plan.fields[i]
		var texts []string
		switch f.where {
		case inURI:
			label, err := url.PathUnescape(labels[f.name])
			if err != nil {
				return fmt.Errorf("could not parse the path: %w", err)
			}
			texts = []string{label}
		case inQuery:
			texts = query[f.name]
		}
		if err := b.texts(i, f, in, texts); err != nil {
			return err
		}
	}
	return b.message(r.Header, r.Body, in)
}

func (p *restProtocol) decodeResponse(c *checker, _ *Op, r *Response, out value) error {
	b := restBinder{checker: c}
	for i := range out.plan.fields {
		if f := &out.plan.fields[i]; f.where == inStatus {
			if err := b.texts(i, f, out, []string{strconv.Itoa(r.Status)}); err != nil {
				return err
			}
		}
	}
	return b.message(r.Header, r.Body, out)
}

func (p *restProtocol) encodeResponse(op *Op, out value, _ string) (*Response, error) {
	r := &Response{Status: op.status(), Header: http.Header{}}
	for i := range out.plan.fields {
		f := &out.plan.fields[i]
		if v, ok := f.present(out.Value); ok && f.where == inStatus {
			r.Status = int(v.Int())
		}
	}
	putHeaders(r.Header, out)
	if r.Status != http.StatusNoContent {
		r.Body = restBody(r.Header, out)
	}
	return r, nil
}

func (p *restProtocol) encodeError(e *problem) *Response {
	r := &Response{Status: e.status, Header: http.Header{}}
	if e.members.plan != nil {
		putHeaders(r.Header, e.members)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amzn-Errortype", e.code)
	b := []byte{'{'}
	if e.attribute != "" {
		b = append(append(b, `"errorAttribute":`...), appendQuoted(nil, e.attribute)...)
		b = append(b, ',')
	}
	r.Body = appendProblem(b, e)
	return r
}

func (p *restProtocol) encodeRequest(op *Op, in value) (*Request, error) {
	labels, query := map[string]string{}, url.Values{}
	for i := range in.plan.fields {
		f := &in.plan.fields[i]
		v, ok := f.present(in.Value)
		switch {
		case !ok:
		case f.where == inURI:
			labels[f.name] = formatText(&f.valuePlan, v)
		case f.where == inQuery:
			query[f.name] = textsOf(f, v)
		}
	}
	path, err := p.routes.byOp[op.Name].fill(func(n string) string { return labels[n] })
	if err != nil {
		return nil, err
	}
	r := &Request{Method: op.Method, Path: path, RawQuery: query.Encode(), Header: http.Header{}}
	putHeaders(r.Header, in)
	if in.plan.inBody() {
		r.Body = restBody(r.Header, in)
	}
	return r, nil
}

// inBody says whether any member may travel in the body.
func (p *structPlan) inBody() bool {
	for i := range p.fields {
		if w := p.fields[i].where; w == inBody || w == inPayload {
			return true
		}
	}
	return false
}

func textsOf(f *fieldPlan, v reflect.Value) []string {
	if f.kind != kindList {
		return []string{formatText(&f.valuePlan, v)}
	}
	out := make([]string, v.Len())
	for i := range out {
		out[i] = formatText(f.elem, v.Index(i))
	}
	return out
}

func putHeaders(h http.Header, s value) {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		v, ok := f.present(s.Value)
		switch {
		case !ok:
		case f.where == inHeader && f.kind == kindList:
			h.Set(f.name, strings.Join(textsOf(f, v), ", "))
		case f.where == inHeader:
			h.Set(f.name, formatTextAs(&f.valuePlan, v, "rfc822"))
		case f.where == inHeaders:
			for _, k := range sortedKeys(v) {
				h.Set(f.name+k.String(), v.MapIndex(k).String())
			}
		}
	}
}

// restBody renders the payload member, or the members of the body as JSON.
func restBody(h http.Header, s value) []byte {
	contentType, body := "application/json", []byte(nil)
	if s.plan.payload < 0 {
		body = appendJSON(nil, s, true)
	} else {
		f := &s.plan.fields[s.plan.payload]
		v, ok := f.present(s.Value)
		switch {
		case f.kind == kindBlob:
			contentType, body = "application/octet-stream", append(body, v.Bytes()...)
		case f.kind == kindString:
			contentType, body = "text/plain", []byte(v.String())
		case ok:
			body = appendValue(nil, &f.valuePlan, v)
		default:
			body = []byte("{}")
		}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", contentType)
	}
	return body
}
