package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
)

const form = "application/x-www-form-urlencoded"

// query is a call by the query protocol.
func query(params string) ask {
	return ask{service: "form", body: "Version=2026-01-01&" + params,
		header: map[string]string{"Content-Type": form}}
}

// rest is a call by REST JSON.
func rest(path, body string) ask { return ask{service: "rest", path: path, body: body} }

// with changes a copy of a request.
func (a ask) with(change func(*ask)) ask {
	change(&a)
	return a
}

// code reads the error code of an answer in any protocol.
func code(t *testing.T, r *httptest.ResponseRecorder) string {
	t.Helper()
	body := r.Body.String()
	if _, rest, ok := strings.Cut(body, "<Code>"); ok {
		code, _, _ := strings.Cut(rest, "</Code>")
		return code
	}
	if c := r.Header().Get("X-Amzn-Errortype"); c != "" {
		return c
	}
	var e struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Errorf("answer %q: %v", body, err)
	}
	return e.Type
}

// refusal is what a wrong request is answered in each protocol.
type refusal struct {
	asks             map[string]ask
	json, rest, form string // code and status
	text             string // part of it
}

// change gives the requests of every protocol, changed.
func change(of map[string]ask, c func(*ask)) map[string]ask {
	out := map[string]ask{}
	for name, a := range of {
		out[name] = a.with(c)
	}
	return out
}

func calls() map[string]ask {
	return map[string]ask{
		"json": put("Put", `{"Name":"a"}`), "rest": rest("/put", `{"Name":"a"}`),
		"form": query("Action=Put&Name=a"),
	}
}

// misspelled are requests that a valid signature covers.
func misspelled() map[string]refusal {
	ok := calls()
	wrongType := map[string]ask{
		"json": put("Put", `{"Name":5}`), "rest": rest("/put", `{"Name":5}`),
		"form": query("Action=Put&Name.member.1=a"),
	}
	unknownOp := map[string]ask{
		"json": put("Fly", `{}`), "rest": rest("/fly", ""), "form": query("Action=Fly"),
	}
	missing := map[string]ask{
		"json": put("Put", `{}`), "rest": rest("/put", ""), "form": query("Action=Put"),
	}
	denied := "User: arn:aws:iam::" + home + ":user/bob is not authorized to perform: " +
		"toy:Put on resource: arn:aws:toy:" + here + ":" + home + ":thing/a because no " +
		"identity-based policy allows the toy:Put action"
	return map[string]refusal{
		"unknown operation": {unknownOp, "UnknownOperationException 400",
			"UnknownOperationException 404", "InvalidAction 400", ""},
		"missing member": {missing, "ValidationException 400", "BadRequestException 400",
			"ValidationError 400", "1 validation error detected: Value null at 'name' failed to " +
				"satisfy constraint: Member must not be null"},
		"wrong type": {wrongType, "SerializationException 400", "BadRequestException 400",
			"MalformedInput 400", ""},
		"denied": {change(ok, func(a *ask) { a.who = "BOB" }), "AccessDeniedException 400",
			"AccessDeniedException 403", "AccessDenied 403", denied},
		"broken": {change(ok, func(a *ask) { a.who = "BROKEN" }), "InternalFailure 500",
			"InternalServerErrorException 500", "InternalFailure 500", "Give the request id"},
	}
}

// unsigned are requests whose signature is not good.
func unsigned() map[string]refusal {
	ok := calls()
	return map[string]refusal{
		"unsigned": {change(ok, func(a *ask) { a.raw = true }),
			"MissingAuthenticationTokenException 400", "MissingAuthenticationTokenException 403",
			"MissingAuthenticationToken 403", "Missing Authentication Token"},
		"half a signature": {change(ok, func(a *ask) { a.edit = halve }),
			"IncompleteSignatureException 400", "IncompleteSignatureException 403",
			"IncompleteSignature 400", "requires 'Signature' parameter"},
		"unknown key": {change(ok, func(a *ask) { a.who = "AKIANOBODY" }),
			"UnrecognizedClientException 400", "UnrecognizedClientException 403",
			"InvalidClientTokenId 403", "The security token included in the request is invalid."},
		"session token": {change(ok, func(a *ask) {
			a.edit = func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }
		}), "UnrecognizedClientException 400", "UnrecognizedClientException 403",
			"InvalidClientTokenId 403", "The security token included in the request is invalid."},
		"wrong secret": {change(ok, func(a *ask) { a.secret = "guess" }),
			"InvalidSignatureException 400", "InvalidSignatureException 403",
			"SignatureDoesNotMatch 403", "The request signature we calculated does not match"},
		"old": {change(ok, func(a *ask) { a.at = -16 * time.Minute }),
			"InvalidSignatureException 400", "InvalidSignatureException 403",
			"SignatureDoesNotMatch 403", "Signature expired"},
		"of the future": {change(ok, func(a *ask) { a.at = 16 * time.Minute }),
			"InvalidSignatureException 400", "InvalidSignatureException 403",
			"SignatureDoesNotMatch 403", "Signature not yet current"},
		"no Region": {change(ok, func(a *ask) { a.region = "Any_where" }),
			"InvalidSignatureException 400", "InvalidSignatureException 403",
			"SignatureDoesNotMatch 403", "valid region"},
	}
}

// TestCodes: each protocol has AWS's code, status and text of every refusal.
func TestCodes(t *testing.T) {
	t.Parallel()
	all := unsigned()
	maps.Copy(all, misspelled())
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for protocol, want := range map[string]string{
				"json": e.json, "rest": e.rest, "form": e.form,
			} {
				w := newWorld(t)
				r := w.do(e.asks[protocol])
				body := plain(r.Body.String())
				if got := fmt.Sprint(code(t, r), " ", r.Code); got != want {
					t.Errorf("%s: %s, want %s: %s", protocol, got, want, body)
				}
				if !strings.Contains(body, e.text) {
					t.Errorf("%s: %s lacks %q", protocol, body, e.text)
				}
				if strings.Contains(body, "secret word") {
					t.Errorf("%s: internals: %s", protocol, body)
				}
				answerID(t, r)
			}
		})
	}
}

// plain undoes what XML escapes.
func plain(s string) string {
	return strings.NewReplacer("&#39;", "'", "&apos;", "'", "&#34;", `"`, "&quot;", `"`).
		Replace(s)
}

// answerID requires the request id in the header and, of XML, in the body.
func answerID(t *testing.T, r *httptest.ResponseRecorder) {
	t.Helper()
	id := r.Header().Get("X-Amzn-Requestid")
	if len(id) != 36 {
		t.Errorf("request id %q", id)
	}
	if strings.HasPrefix(r.Body.String(), "<") && !strings.Contains(r.Body.String(), id) {
		t.Errorf("no request id in %s", r.Body)
	}
}

func halve(r *http.Request) {
	auth, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
	r.Header.Set("Authorization", auth)
}

// TestDoor: requests that are odd as HTTP.
func TestDoor(t *testing.T) {
	t.Parallel()
	jsonPut, formPut := put("Put", `{"Name":"a"}`), query("Action=Put&Name=a")
	method := func(a ask, m string) ask { return a.with(func(a *ask) { a.method = m }) }
	for name, e := range map[string]struct {
		ask    ask
		status int
		code   string
	}{
		"GET of JSON":  {method(jsonPut, "GET"), 404, "UnknownOperationException"},
		"HEAD of form": {method(formPut, "HEAD"), 404, "UnknownOperationException"},
		"PUT of form":  {method(formPut, "PUT"), 404, "UnknownOperationException"},
		"GET of form": {ask{service: "form", method: "GET",
			path: "/?Action=Put&Name=a&Version=2026-01-01"}, 200, ""},
		"GET of REST": {method(rest("/put", ""), "GET"), 404, "UnknownOperationException"},
		"path with dots": {rest("/get/../put", `{"Name":"a"}`), 404,
			"UnknownOperationException"},
		"path with slashes": {rest("//put", `{"Name":"a"}`), 404, "UnknownOperationException"},
		"no service":        {ask{service: "fly"}, 501, "UnknownOperationException"},
		"target of no one": {jsonPut.with(func(a *ask) {
			a.header = map[string]string{"X-Amz-Target": "Fly.Put"}
		}), 400, "UnknownOperationException"},
		"scope of another": {jsonPut.with(func(a *ask) { a.service = "form" }), 400,
			"InvalidSignatureException"},
		"no target": {ask{body: "{}"}, 400, "UnknownOperationException"},
		"too large": {put("Put", `{"Name":"a","Note":"`+strings.Repeat("x", 1<<20)+`"}`), 413,
			"RequestEntityTooLarge"},
		"changed body": {jsonPut.with(func(a *ask) {
			a.edit = func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(`{"Name":"b"}`))
			}
		}), 400, "InvalidSignatureException"},
		"target not signed": {ask{body: `{"Name":"a"}`, edit: func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "Toy.Put")
		}}, 400, "InvalidSignatureException"},
		"two signatures": {jsonPut.with(func(a *ask) {
			a.edit = func(r *http.Request) {
				r.Header.Add("Authorization", r.Header.Get("Authorization"))
			}
		}), 400, "IncompleteSignatureException"},
		"two targets": {jsonPut.with(func(a *ask) {
			a.edit = func(r *http.Request) { r.Header.Add("X-Amz-Target", "Toy.Get") }
		}), 400, "InvalidSignatureException"},
		"browser": {ask{raw: true, method: "GET"}, 400, "MissingAuthenticationTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.do(e.ask)
			if r.Code != e.status || r.Code != 200 && code(t, r) != e.code {
				t.Errorf("%d %s", r.Code, r.Body)
			}
			if e.status != 200 && w.trail() != "" {
				t.Errorf("on record: %s", w.trail())
			}
			answerID(t, r)
		})
	}
}

// TestUnsigned payloads are as good as the connection.
func TestUnsignedPayload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := put("Put", `{"Name":"a"}`)
	a.header["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
	if r := w.do(a); r.Code != 200 {
		t.Errorf("over TLS: %d %s", r.Code, r.Body)
	}
	a.edit = func(r *http.Request) { r.TLS = nil }
	if r := w.do(a); r.Code != 400 || code(t, r) != "InvalidSignatureException" {
		t.Errorf("in clear: %d %s", r.Code, r.Body)
	}
}

// TestPresignedToken: a session token counts wherever it stands.
func TestPresignedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for token, want := range map[string]int{"": 200, "x": 403} {
		r := httptest.NewRequest(http.MethodGet,
			"https://localhost/?Action=Get&Name=a&Version=2026-01-01", nil)
		key := sigv4.Key{AccessKeyID: "ROOT", Secret: sigv4.NewSecret("secret"),
			SessionToken: token}
		sigv4.Presign(r, nil, key, here, "form", w.now, time.Minute)
		rec := httptest.NewRecorder()
		w.gw.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("token %q: %d %s", token, rec.Code, rec.Body)
		}
	}
}

// TestStrangersBodies are not read.
func TestStrangersBodies(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"", "AKIANOBODY"} {
		w := newWorld(t)
		a := put("Put", `{"Name":"a"}`)
		a.who, a.raw = who, who == ""
		body := &countingReader{Reader: bytes.NewReader(make([]byte, 1<<20))}
		a.edit = func(r *http.Request) { r.Body = io.NopCloser(body) }
		w.do(a)
		if body.n != 0 {
			t.Errorf("%d bytes of %q were read", body.n, who)
		}
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// TestAnswered: every request is counted once, with its code.
func TestAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(put("Put", `{"Name":"a"}`))
	w.do(ask{raw: true})
	w.do(put("Put", `{"Name":"a","Then":"panic"}`))
	got := strings.Join(w.codes, " ")
	if want := " MissingAuthenticationTokenException InternalFailure"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzServe: no request stops the gateway, and none without the secret gets
// beyond the signature.
func FuzzServe(f *testing.F) {
	f.Add("POST", "/", "X-Amz-Target", "Toy.Put", "AWS4-HMAC-SHA256 Credential=", `{"Name":"a"}`)
	f.Add("GET", "/put?Action=Put", "Content-Type", form, "", "")
	f.Add("DELETE", "/put/../get", "X-Amz-Security-Token", "x", "Basic QTpC", "[")
	f.Add("GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ROOT/20260102/"+here+
		"/toy/aws4_request&X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature="+
		strings.Repeat("a", 64), "X-Amz-Date", "20260102T030405Z", "", "")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, method, path, name, value, auth, body string) {
		r, err := http.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set(name, value)
		r.Header.Set("Authorization", auth)
		w.t = t
		rec := httptest.NewRecorder()
		w.gw.ServeHTTP(rec, r)
		if rec.Code < 400 || rec.Code == 500 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if w.stored("a") || len(w.recorded) > 0 {
			t.Error("something was done")
		}
	})
}
