package gateway

import (
	"fmt"
	"strings"
	"testing"

	"coffer/internal/lint"
)

// TestLint_IAM03: what looks like personal data or a secret is told or refused by the
// name of its parameter, and never repeated where it could leak (acceptance IAM-03,
// IAM-05, IAM-06).
func TestLint_IAM03(t *testing.T) {
	t.Parallel()
	const url, mail = "amqp://jane:pass-word@mq", "jane@example.com"
	body := `{"Name":"a","Description":"` + url + `","Tags":["x","` + mail + `"]}`
	for mode, want := range map[lint.Mode]struct {
		status             int
		code, shown, clean string
	}{
		"":          {200, "", mail, url},
		lint.Warn:   {200, "", mail, url},
		lint.Off:    {200, "", url, "looks like"},
		lint.Refuse: {400, "ValidationException", "HIDDEN", mail},
	} {
		w := newWorld(t)
		w.gw.cfg.Lint = mode
		r := w.do(put("Put", body))
		e := w.events(home)[0]
		shown := fmt.Sprint(e.RequestParameters, e.ResponseElements, e.ErrorMessage)
		if r.Code != want.status || e.ErrorCode != want.code || w.stored("a") == (r.Code == 400) {
			t.Errorf("%q: %d %s, event %s", mode, r.Code, r.Body, e.ErrorCode)
		}
		if !strings.Contains(shown, want.shown) || strings.Contains(shown, want.clean) {
			t.Errorf("%q: the event shows %s", mode, shown)
		}
		if log := w.logged(); strings.Contains(log, "pass-word") || strings.Contains(log, mail) ||
			(mode != lint.Off) != strings.Contains(log, "parameter=tags.2") {
			t.Errorf("%q: the log says %q", mode, log)
		}
		told := fmt.Sprint(e.AdditionalEventData)
		if mode == lint.Off {
			if e.AdditionalEventData != nil {
				t.Errorf("off: the event says %s", told)
			}
			continue
		}
		for _, words := range []string{
			"description", "url-with-password", "tags.2", "email-address",
		} {
			if !strings.Contains(told, words) {
				t.Errorf("%q: the event does not tell %q: %s", mode, words, told)
			}
		}
		const text = "2 validation errors detected: Value at 'description' failed to satisfy " +
			"constraint: Member must not hold what looks like a URL with a password; "
		if mode == lint.Refuse && !strings.Contains(r.Body.String(), text) {
			t.Errorf("the answer is %s", r.Body)
		}
	}
}
