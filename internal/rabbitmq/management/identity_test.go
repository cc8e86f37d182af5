package management

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// asked sends a request of who signed in, with credentials that do not count.
func (w *world) asked(i Identity, method, path, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
	r.SetBasicAuth("guest", "wrong")
	rec := httptest.NewRecorder()
	w.handler.ServeAs(rec, r, i)
	return rec
}

// TestIdentity: who signed in asks without its password, as long as it has that one, with
// the tags and permissions that it has at the time.
func TestIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(body string) {
		t.Helper()
		rec := w.ask("guest", http.MethodPut, "/api/users/ann", body)
		if rec.Code >= http.StatusMultipleChoices {
			t.Fatalf("put %s: %d %s", body, rec.Code, rec.Body)
		}
	}
	put(`{"password":"one","tags":"administrator"}`)
	if _, err := w.handler.SignIn(t.Context(), "ann", []byte("two")); fault.KindOf(err) !=
		fault.Unauthenticated {
		t.Errorf("a wrong password: %v", err)
	}
	i, err := w.handler.SignIn(t.Context(), "ann", []byte("one"))
	must(t, err)
	if rec := w.asked(i, http.MethodGet, "/api/whoami", ""); rec.Code != http.StatusOK ||
		!strings.Contains(rec.Body.String(), `"ann"`) {
		t.Errorf("whoami: %d %s", rec.Code, rec.Body)
	}
	put(`{"keep_password":true,"tags":"management"}`)
	if rec := w.asked(i, http.MethodGet, "/api/users", ""); rec.Code != http.StatusUnauthorized ||
		!w.handler.Holds(i) {
		t.Errorf("with fewer tags: %d %s", rec.Code, rec.Body)
	}
	put(`{"keep_password":true,"tags":""}`)
	if _, err := w.handler.SignIn(t.Context(), "ann", []byte("one")); fault.KindOf(err) !=
		fault.Unauthenticated {
		t.Errorf("without tags: %v", err)
	}
	put(`{"password":"two","tags":"administrator"}`)
	if rec := w.asked(i, http.MethodGet, "/api/whoami", ""); rec.Code != http.StatusUnauthorized ||
		w.handler.Holds(i) {
		t.Errorf("with another password: %d %s", rec.Code, rec.Body)
	}
	if i, err = w.handler.SignIn(t.Context(), "ann", []byte("two")); err != nil {
		t.Fatal(err)
	}
	must(t, w.broker.DeleteUser(t.Context(), "ann"))
	if w.handler.Holds(i) {
		t.Error("a user who is gone")
	}
	rec := w.ask("guest", http.MethodPut, "/api/users/none", `{"keep_password":true,"tags":""}`)
	if rec.Code != http.StatusNotFound {
		t.Errorf("the password of nobody is kept: %d", rec.Code)
	}
}
