package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"coffer/internal/aws/sigv4"
)

// members are the arguments or results of an operation, as JSON has them.
type members = map[string]any

// answer is what came back. An error of either protocol has a code and a message; kind
// is the name that JSON gives it.
type answer struct {
	status              int
	code, kind, message string
	body                []byte
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s %s\n%s", a.status, a.code, a.kind, a.message)
}

// json sends a request of the JSON protocol.
func (s *server) json(op, body string) answer {
	s.t.Helper()
	header := http.Header{
		"X-Amz-Target": {"AmazonSQS." + op}, "Content-Type": {"application/x-amz-json-1.0"},
	}
	resp, text := s.post("/", header, []byte(body))
	a := answer{status: resp.StatusCode, body: text}
	if a.status == http.StatusOK {
		return a
	}
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		s.t.Fatalf("%s %s: %v in %q", op, body, err, text)
	}
	a.kind, a.message = e.Type[strings.LastIndexByte(e.Type, '#')+1:], e.Message
	a.code, _ = strings.CutSuffix(resp.Header.Get("X-Amzn-Query-Error"), ";"+blame(a.status))
	return a
}

// query sends a request of the query protocol.
func (s *server) query(op, body string) answer {
	s.t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	if body != "" {
		body = "&" + body
	}
	resp, text := s.post("/", header, []byte("Action="+op+"&Version=2012-11-05"+body))
	a := answer{status: resp.StatusCode, body: text}
	if a.status == http.StatusOK {
		return a
	}
	var e struct {
		XMLName xml.Name `xml:"http://queue.amazonaws.com/doc/2012-11-05/ ErrorResponse"`
		Error   struct{ Type, Code, Message string }
	}
	if err := xml.Unmarshal(text, &e); err != nil || e.Error.Type != blame(a.status) {
		s.t.Fatalf("%s%s: %v in %q", op, body, err, text)
	}
	a.code, a.message = e.Error.Code, e.Error.Message
	return a
}

// post sends a signed request and reads its answer.
func (s *server) post(path string, h http.Header, body []byte) (*http.Response, []byte) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path,
		bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = h.Clone()
	sigv4.Sign(req, body, s.key, s.region, "sqs", time.Now())
	return s.do(req)
}

// do sends a request and reads its answer.
func (s *server) do(req *http.Request) (*http.Response, []byte) {
	s.t.Helper()
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, text
}

// call is a request of the JSON protocol that must succeed.
func (s *server) call(op string, in members) members {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.json(op, string(body))
	if a.status != http.StatusOK {
		s.t.Fatalf("%s %.200s: %s", op, body, a)
	}
	out := members{}
	if err := json.Unmarshal(a.body, &out); err != nil && len(a.body) > 0 {
		s.t.Fatal(err)
	}
	return out
}

// formNames are the members that have another name in the query protocol, where lists
// and maps are numbered parameters. Those of a batch's entries depend on the operation.
var formNames = map[string]string{
	"AWSAccountIds": "AWSAccountId", "Actions": "ActionName", "AttributeNames": "AttributeName",
	"Attributes": "Attribute", "BinaryListValues": "BinaryListValue",
	"MessageAttributeNames": "MessageAttributeName", "MessageAttributes": "MessageAttribute",
	"MessageSystemAttributeNames": "MessageSystemAttributeName",
	"MessageSystemAttributes":     "MessageSystemAttribute", "StringListValues": "StringListValue",
	"TagKeys": "TagKey", "Tags": "Tag", "tags": "Tag",
}

// form writes the arguments of an operation as the query protocol has them.
func form(op string, in members) string {
	out := url.Values{}
	for name, v := range in {
		if name == "Entries" {
			name = op + "RequestEntry"
		}
		putForm(out, name, v)
	}
	return out.Encode()
}

func putForm(out url.Values, name string, v any) {
	if short, ok := formNames[name[strings.LastIndexByte(name, '.')+1:]]; ok {
		name = name[:strings.LastIndexByte(name, '.')+1] + short
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			putForm(out, fmt.Sprintf("%s.%d", name, i+1), e)
		}
	case members:
		pair := [2]string{"Name", "Value"}
		switch name[strings.LastIndexByte(name, '.')+1:] {
		case "Tag":
			pair[0] = "Key"
		case "Attribute", "MessageAttribute", "MessageSystemAttribute":
		default: // a structure
			for member, e := range v {
				putForm(out, name+"."+member, e)
			}
			return
		}
		for i, key := range slices.Sorted(maps.Keys(v)) {
			at := fmt.Sprintf("%s.%d.", name, i+1)
			out.Set(at+pair[0], key)
			putForm(out, at+pair[1], v[key])
		}
	default:
		out.Set(name, fmt.Sprint(v))
	}
}

// blame is who is told to be wrong.
func blame(status int) string {
	if status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}
