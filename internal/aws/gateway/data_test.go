package gateway

import (
	"slices"
	"testing"
)

// TestData: an operation on data is decided like any, runs outside of a unit of work, and
// leaves no event, however it ends.
func TestData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, status := range map[string]int{
		`{"Name":"a"}`:                  200,
		`{"Name":"A1"}`:                 400,
		`{"Name":"a","Then":"invalid"}`: 400,
		`{"Name":"a","Then":"broken"}`:  500,
		`{"Name":"a","Then":"panic"}`:   500,
		`{"Name":"missing"}`:            400,
		`{"Name":"shaken"}`:             500,
	} {
		if r := w.do(put("Poke", body)); r.Code != status {
			t.Errorf("%s: %d %s", body, r.Code, r.Body)
		}
	}
	denied := put("Poke", `{"Name":"a"}`)
	denied.who = "BOB"
	if r := w.do(denied); r.Code != 400 || r.Header().Get(messageHeader) == "" {
		t.Errorf("denied: %d %s", r.Code, r.Body)
	}
	if got := w.trail(); got != "" {
		t.Errorf("on record: %s", got)
	}
}

// TestFinish: a service is told when effects are durable, of calls from outside that
// succeeded alone; its error is answered, and the effects stay.
func TestFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, status := range map[string]int{
		`{"Name":"a"}`:                  200,
		`{"Name":"b","Then":"invalid"}`: 400,
		`{"Name":"endless"}`:            503,
	} {
		if r := w.do(put("Put", body)); r.Code != status {
			t.Errorf("%s: %d %s", body, r.Code, r.Body)
		}
	}
	if r := w.do(put("Nest", `{"Steps":["behalf Put inner"]}`)); r.Code != 200 {
		t.Errorf("nested: %d %s", r.Code, r.Body)
	}
	slices.Sort(w.finished)
	if !slices.Equal(w.finished, []string{"a", "endless"}) || !w.stored("endless") {
		t.Errorf("finished %q", w.finished)
	}
}
