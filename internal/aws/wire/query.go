package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// queryProtocol is AWS query: parameters in a form or the query string, XML
// out.
type queryProtocol struct{ api *API }

var (
	_ protocol = (*queryProtocol)(nil)
	_ client   = (*queryProtocol)(nil)
)

func (p *queryProtocol) codes() (invalid, malformed string) {
	return "ValidationError", "MalformedInput"
}

// parameters are those of the form and of the query string; the form wins.
func (p *queryProtocol) parameters(r *Request) (url.Values, error) {
	all, err := url.ParseQuery(r.RawQuery)
	if err == nil && len(r.Body) > 0 {
		var form url.Values
		if form, err = url.ParseQuery(string(r.Body)); err == nil {
			for name, values := range form {
				all[name] = values
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("could not parse the parameters: %w", err)
	}
	return all, nil
}

func (p *queryProtocol) route(r *Request) (*Op, error) {
	form, err := p.parameters(r)
	if err != nil {
		return nil, &SerializationError{Message: err.Error(), code: "MalformedInput"}
	}
	action, version := form.Get("Action"), form.Get("Version")
	if op, ok := p.api.Op(action); ok && version == p.api.Version {
		return op, nil
	}
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	text := "Could not find operation " + strconv.Quote(clip(action, 256)) +
		" for version " + strconv.Quote(clip(version, 64))
	if action == "" {
		return nil, &UnknownOperationError{
			Message: "The request must contain the parameter Action.",
			code:    "MissingAction", status: 400,
		}
	}
	return nil, &UnknownOperationError{Message: text, code: "InvalidAction", status: 400}
}

func clip(s string, n int) string { return s[:min(n, len(s))] }

func (p *queryProtocol) decodeRequest(c *checker, _ *Op, r *Request, in value) error {
	form, err := p.parameters(r)
	if err != nil {
		return err
	}
	if name := p.api.PathParameter; name != "" && !form.Has(name) {
		form.Set(name, r.Path)
	}
	root := &node{}
	for name, values := range form {
		if err := root.put(name, values[len(values)-1]); err != nil {
			return err
		}
	}
	d := treeDecoder{checker: c, numbered: true}
	return d.structure(in, root)
}

func (p *queryProtocol) encodeRequest(op *Op, in value) (*Request, error) {
	form := url.Values{"Action": {op.Name}, "Version": {p.api.Version}}
	putForm(form, "", in)
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return &Request{Method: "POST", Path: "/", Header: h, Body: []byte(form.Encode())}, nil
}

func (p *queryProtocol) encodeResponse(op *Op, out value, id string) (*Response, error) {
	x := xmlWriter{}
	x.open(op.Name+"Response", p.api.XMLNamespace)
	if !op.NoOutput {
		x.open(op.Name+"Result", "")
		x.members(out)
		x.close(op.Name + "Result")
	}
	x.open("ResponseMetadata", "")
	x.element("RequestId", id)
	x.close("ResponseMetadata")
	x.close(op.Name + "Response")
	return x.response(op.status()), nil
}

func (p *queryProtocol) encodeError(e *problem) *Response {
	x := xmlWriter{}
	x.open("ErrorResponse", p.api.XMLNamespace)
	x.open("Error", "")
	blame := "Sender"
	if e.status >= 500 {
		blame = "Receiver"
	}
	x.element("Type", blame)
	x.element("Code", e.query)
	x.element("Message", e.message)
	if p.api.QueryCompatible {
		x.element("Detail", "")
	}
	x.close("Error")
	x.element("RequestId", e.requestID)
	x.close("ErrorResponse")
	return x.response(e.status)
}

func (p *queryProtocol) decodeResponse(c *checker, op *Op, r *Response, out value) error {
	root, err := parseXML(r.Body)
	if err != nil {
		return err
	}
	if op.NoOutput {
		return nil
	}
	result := root.child(op.Name + "Result")
	if result == nil {
		return fmt.Errorf("no element %sResult", op.Name)
	}
	d := treeDecoder{checker: c}
	return d.structure(out, result)
}
