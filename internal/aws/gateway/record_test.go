package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"coffer/internal/store"
)

// TestRecordedOnce: every signed call that names an operation leaves exactly
// one event, however it ends, and one that fails leaves no effect.
func TestRecordedOnce(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]struct {
		ask    ask
		status int
		trail  string
	}{
		"done":       {put("Put", `{"Name":"a"}`), 200, "Put ok"},
		"read":       {put("Get", `{"Name":"a"}`), 200, "Get ok"},
		"denied":     {ask{who: "BOB"}, 400, "Put AccessDeniedException"},
		"invalid":    {put("Put", `{"Name":"A1"}`), 400, "Put ValidationException"},
		"no JSON":    {put("Put", `{`), 400, "Put SerializationException"},
		"no thing":   {put("Put", `{"Name":"missing"}`), 400, "Put ResourceNotFoundException"},
		"no check":   {put("Put", `{"Name":"nothing"}`), 500, "Put InternalFailure"},
		"unready":    {put("Put", `{"Name":"unready"}`), 400, "Put ValidationException"},
		"refused":    {put("Put", `{"Name":"a","Then":"invalid"}`), 400, "Put ValidationException"},
		"broken":     {put("Put", `{"Name":"a","Then":"broken"}`), 500, "Put InternalFailure"},
		"panic":      {put("Put", `{"Name":"a","Then":"panic"}`), 500, "Put InternalFailure"},
		"read panic": {put("Get", `{"Name":"a","Then":"panic"}`), 500, "Get InternalFailure"},
		"in Access":  {put("Put", `{"Name":"shaken"}`), 500, "Put InternalFailure"},
		"in Prepare": {put("Put", `{"Name":"torn"}`), 500, "Put InternalFailure"},
		"not built": {put("Put", `{"Name":"a","Then":"501"}`), 501,
			"Put UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if e.ask.who != "" {
				who := e.ask.who
				e.ask = put("Put", `{"Name":"a"}`)
				e.ask.who = who
			}
			r := w.do(e.ask)
			if r.Code != e.status {
				t.Errorf("status %d, want %d: %s", r.Code, e.status, r.Body)
			}
			if got := w.trail(); got != e.trail {
				t.Errorf("on record: %s; want %s", got, e.trail)
			}
			if len(w.recorded) != 1 || w.recorded[0].EventID != w.events(home)[0].EventID {
				t.Errorf("told of %d events", len(w.recorded))
			}
			if w.stored("a") != (name == "done") {
				t.Error("the effect is wrong")
			}
			if strings.Contains(r.Body.String(), "secret word") ||
				strings.Contains(r.Body.String(), "goroutine") {
				t.Errorf("the answer shows internals: %s", r.Body)
			}
			if r := w.do(put("Put", `{"Name":"next"}`)); r.Code != 200 {
				t.Errorf("the next call: %d %s", r.Code, r.Body) // no turn is kept
			}
		})
	}
}

// TestPanicIsLogged: what the client does not see, the operator does.
func TestPanicIsLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(put("Put", `{"Name":"a","Then":"panic"}`))
	if log := w.logged(); !strings.Contains(log, "in the method") ||
		!strings.Contains(log, "toy_test.go") {
		t.Errorf("log: %s", log)
	}
}

// TestNested: effects of inner calls stand or fall with the outer one; events
// say only what happened, and reads and refusals happened in any case.
func TestNested(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]struct {
		who, body string
		status    int
		trail     string
		kept      string // of a and b
	}{
		"done": {"", `{"Steps":["behalf Put a","behalf Get a","behalf Put b"]}`, 200,
			"Put ok, Get ok, Put ok, Nest ok", "ab"},
		"outer fails": {"", `{"Steps":["behalf Put a","behalf Get a"],"Then":"invalid"}`, 400,
			"Get ok, Nest ValidationException", ""},
		"outer panics": {"", `{"Steps":["behalf Put a","behalf Get a"],"Then":"panic"}`, 500,
			"Get ok, Nest InternalFailure", ""},
		"inner fails": {"", `{"Steps":["behalf Put a","behalf Put b invalid"]}`, 400,
			"Put ValidationException, Nest ValidationException", ""},
		"inner panics": {"", `{"Steps":["behalf Put a","behalf Put b panic"]}`, 500,
			"Put InternalFailure, Nest InternalFailure", ""},
		"inner may fail": {"", `{"Steps":["behalf Put a","behalf Put? b invalid"]}`, 200,
			"Put ok, Put ValidationException, Nest ok", "a"},
		"inner taken back": {"", `{"Steps":["behalf Put a","behalf (Put) b","behalf (Get) b"]}`,
			200, "Put ok, Get ok, Nest ok", "a"},
		"inner denied": {"ALICE", `{"Steps":["behalf Put a","behalf Get a"]}`, 400,
			"Get AccessDeniedException, Nest AccessDeniedException", ""},
		"service denied": {"", `{"Steps":["mq Put a"]}`, 400,
			"Put AccessDeniedException, Nest AccessDeniedException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := put("Nest", e.body)
			a.who = e.who
			if r := w.do(a); r.Code != e.status {
				t.Errorf("status %d, want %d: %s", r.Code, e.status, r.Body)
			}
			if got := w.trail(); got != e.trail {
				t.Errorf("on record: %s; want %s", got, e.trail)
			}
			if len(w.recorded) != len(w.events(home)) {
				t.Errorf("told of %d events, %d are stored", len(w.recorded), len(w.events(home)))
			}
			kept := ""
			for _, name := range []string{"a", "b"} {
				if w.stored(name) {
					kept += name
				}
			}
			if kept != e.kept {
				t.Errorf("kept %q, want %q", kept, e.kept)
			}
		})
	}
}

// TestUnrecordable: a call whose event cannot be stored fails, also as a
// refusal.
func TestUnrecordable(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]struct {
		shard store.ShardID
		ask   ask
	}{
		"read":            {1, put("Get", `{"Name":"a"}`)},
		"refusal":         {1, put("Put", `{"Name":"a","Then":"invalid"}`)},
		"not valid":       {1, put("Put", `{}`)},
		"effects":         {0, put("Put", `{"Name":"a"}`)},
		"nothing is said": {0, put("Nest", `{"Steps":["behalf Put a"]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.engine.FailBatch(e.shard, 1, store.ErrLost)
			r := w.do(e.ask)
			if r.Code != 500 || !strings.Contains(r.Body.String(), "InternalFailure") {
				t.Errorf("%d %s", r.Code, r.Body)
			}
			for _, event := range w.recorded {
				if event.ErrorCode == "" {
					t.Errorf("told that %s is on record", event.EventName)
				}
			}
		})
	}
}

// TestNoRequestTooLarge: what a caller sends cannot keep an event from being
// recorded: fields above CloudTrail's bounds are cut or left out.
func TestNoRequestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	huge := strings.Repeat("\x01\"<", 1<<16) // six bytes of JSON each
	note, err := json.Marshal(map[string]string{"Name": "a", "Note": huge})
	if err != nil {
		t.Fatal(err)
	}
	a := put("Put", string(note))
	a.header["User-Agent"] = strings.Repeat("ü", 1<<18)
	if r := w.do(a); r.Code != 200 {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	a = put("Put", `{"Name":"`+strings.Repeat("X", 1<<18)+`"}`)
	if r := w.do(a); r.Code != 400 {
		t.Fatalf("%d %.200s", r.Code, r.Body)
	}
	list := w.events(home)
	if len(list) != 2 {
		t.Fatalf("%d events", len(list))
	}
	if p := list[0].RequestParameters; p["omitted"] != true || len(p) != 3 {
		t.Errorf("parameters %v", p)
	}
	if n := len(list[0].UserAgent); n == 0 || n > maxUserAgent {
		t.Errorf("user agent of %d bytes", n)
	}
	if n := len(list[1].ErrorMessage); n == 0 || n > maxErrorMessage {
		t.Errorf("message of %d bytes", n)
	}
}

// TestSensitiveLeftOut: neither what is sensitive in a request nor in an answer
// is on record.
func TestSensitiveLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(put("Put", `{"Name":"a","Secret":"hush","Note":"n"}`))
	e := w.events(home)[0]
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text) + w.logged(); strings.Contains(s, "hush") ||
		strings.Contains(s, "shown once") {
		t.Error(s)
	}
	if e.RequestParameters["note"] != "n" || e.ResponseElements["name"] != "a" {
		t.Errorf("%v %v", e.RequestParameters, e.ResponseElements)
	}
}

// TestHangUp: a call whose client left is on record all the same.
func TestHangUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := put("Get", `{"Name":"a"}`)
	a.edit = func(r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		cancel(errors.New("client left"))
		*r = *r.WithContext(ctx)
	}
	w.do(a)
	if got := w.trail(); !strings.HasPrefix(got, "Get ") {
		t.Errorf("on record: %q", got)
	}
}
