package wire

import (
	"fmt"
	"net/http"
	"reflect"
)

// Request is what a codec reads of an HTTP request.
type Request struct {
	Method   string
	Path     string // as sent: still percent-encoded (URL.EscapedPath)
	RawQuery string
	Header   http.Header
	// Body is borrowed for the call: decoded values never alias it. Its size
	// is the caller's to bound.
	Body []byte
}

// Response is what a codec answers; the caller owns it.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Codec translates one service between Go values and its wire format. It is
// immutable and safe for concurrent use.
type Codec struct {
	api    *API
	types  map[reflect.Type]*structPlan
	proto  protocol
	shapes map[string]*shapePlan
	query  *Codec // the same service in the query protocol, if it speaks both
}

// protocol is one AWS wire format, both directions.
type protocol interface {
	// codes are the protocol's names of validation and serialization errors.
	codes() (invalid, malformed string)
	route(r *Request) (*Op, error)
	decodeRequest(c *checker, op *Op, r *Request, in value) error
	encodeResponse(op *Op, out value, requestID string) (*Response, error)
	encodeError(e *problem) *Response
}

// client is the other side of a protocol, for in-process clients and tests.
type client interface {
	encodeRequest(op *Op, in value) (*Request, error)
	decodeResponse(c *checker, op *Op, r *Response, out value) error
}

// value is a struct of a generated package and how it travels.
type value struct {
	reflect.Value
	plan *structPlan
}

// problem is an error as it goes out.
type problem struct {
	code, message, requestID string
	query                    string // the code in the query protocol
	status                   int
	members                  value  // zero when the error is not a model's
	attribute                string // the first member that is wrong, if any
}

// Compile reads the tags of the service's types once. It fails when the table
// and the types disagree, and for the protocols that are not here: rest-xml
// and ec2.
func Compile(api *API) (*Codec, error) {
	c := &Codec{api: api}
	if err := c.compile(); err != nil {
		return nil, fmt.Errorf("compile codec of %s: %w", api.Name, err)
	}
	return c, nil
}

// For gives the codec of the protocol that a request speaks.
func (c *Codec) For(h http.Header) *Codec {
	if c.query != nil && h.Get("X-Amz-Target") == "" {
		return c.query
	}
	return c
}

// API gives the service's table.
func (c *Codec) API() *API { return c.api }

// Route finds the operation a request names: by X-Amz-Target (JSON), by Action
// in the form or the query string (query), by method and path (REST). The
// error is an *UnknownOperationError or a *SerializationError.
func (c *Codec) Route(r *Request) (*Op, error) { return c.proto.route(r) }

// Decode fills in, a fresh value from op.In, from the request and checks the
// model's constraints. Unknown members are ignored, an absent body is an empty
// one, of a member sent twice the last counts. The error is a *ValidationError
// or a *SerializationError, or for a missing member of a service that also speaks
// query, Missing; in is then unfit for use.
func (c *Codec) Decode(op *Op, r *Request, in any) error {
	v, err := c.value(in)
	if err != nil {
		return err
	}
	chk := c.checker()
	if err := c.proto.decodeRequest(chk, op, r, v); err != nil {
		return c.malformed(err)
	}
	if chk.absent != "" && c.api.QueryCompatible {
		return Missing(chk.absent)
	}
	return chk.err()
}

// Encode renders the answer of a successful call. out is what op.Call
// returned; requestID goes into the headers and, for query, the body. It fails
// only for a type that is not the service's.
func (c *Codec) Encode(op *Op, out any, requestID string) (*Response, error) {
	v, err := c.value(out)
	if err != nil {
		return nil, err
	}
	r, err := c.proto.encodeResponse(op, v, requestID)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", op.Name, err)
	}
	r.Header.Set("X-Amzn-Requestid", requestID)
	return r, nil
}

// EncodeError renders an error: its code and status, its FaultMessage or else
// its Error text, and the other members of a generated exception.
func (c *Codec) EncodeError(err Fault, requestID string) *Response {
	code, status := err.Fault()
	e := &problem{
		code: code, message: err.Error(), status: status, requestID: requestID, query: code,
	}
	if q, ok := err.(QueryCoder); ok {
		e.query = q.QueryCode()
	}
	if m, ok := err.(Messenger); ok {
		e.message = m.FaultMessage()
	}
	if m, ok := err.(QueryMessenger); ok && c.query == nil {
		e.message = m.QueryMessage()
	}
	if v, verr := c.value(err); verr == nil {
		e.members = v
	}
	if v, ok := err.(*ValidationError); ok && len(v.Violations) > 0 {
		e.attribute = v.Violations[0].Path
	}
	r := c.proto.encodeError(e)
	r.Header.Set("X-Amzn-Requestid", requestID)
	return r
}

// Validate checks the constraints of a value made in this process, as Decode
// does of one from the wire; a required string may be empty if the model lets
// it. The error is a *ValidationError.
func (c *Codec) Validate(in any) error {
	v, err := c.value(in)
	if err != nil {
		return err
	}
	chk := c.checker()
	chk.structure(v)
	return chk.err()
}

// Refuse gives the error of a request that breaks rules which the model does not know.
func (c *Codec) Refuse(found []Violation) error {
	invalid, _ := c.proto.codes()
	return &ValidationError{Violations: found, Count: len(found), code: invalid}
}

// Audit renders an input, an output or an exception for an audit record: the
// members' wire names with the first letter lowered, as CloudTrail has them,
// without sensitive members and without blobs. Times are RFC 3339 in UTC.
// Numbers are int64 or float64. The caller owns the result; it is nil for a
// value that is not the service's.
func (c *Codec) Audit(v any) map[string]any {
	s, err := c.value(v)
	if err != nil {
		return nil
	}
	return audit(s)
}

// EncodeRequest renders a request as a client sends it: everything but the
// host and the signature.
func (c *Codec) EncodeRequest(op *Op, in any) (*Request, error) {
	v, err := c.value(in)
	if err != nil {
		return nil, err
	}
	r, err := c.proto.(client).encodeRequest(op, v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", op.Name, err)
	}
	return r, nil
}

// DecodeResponse fills out, a fresh value from op.Out, from the answer of a
// successful call. Constraints are checked as in Decode.
func (c *Codec) DecodeResponse(op *Op, r *Response, out any) error {
	v, err := c.value(out)
	if err != nil {
		return err
	}
	chk := c.checker()
	if err := c.proto.(client).decodeResponse(chk, op, r, v); err != nil {
		return c.malformed(err)
	}
	return chk.err()
}

// value finds the plan of a non-nil pointer to a struct of the service.
func (c *Codec) value(x any) (value, error) {
	v := reflect.ValueOf(x)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return value{}, fmt.Errorf("%s: want a pointer to a struct, got %T", c.api.Name, x)
	}
	p, ok := c.types[v.Type().Elem()]
	if !ok {
		return value{}, fmt.Errorf("%s: no type %T", c.api.Name, x)
	}
	return value{v.Elem(), p}, nil
}

func (c *Codec) checker() *checker {
	invalid, _ := c.proto.codes()
	return &checker{code: invalid}
}

func (c *Codec) malformed(err error) error {
	_, code := c.proto.codes()
	return &SerializationError{Message: err.Error(), code: code}
}
