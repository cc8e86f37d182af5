package sigv4

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTemplate signs as Sign does, whatever changes from one request to the next.
func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", stsToken} {
		k := Key{AccessKeyID: suiteKeyID, Secret: NewSecret(suiteSecret), SessionToken: token}
		headers := []string{"Content-Type", "application/x-amz-json-1.0",
			"X-Amz-Target", "AmazonSQS.SendMessage"}
		tmpl := NewTemplate(request(t, "POST", "/", headers...), k, "us-east-1", "sqs")
		for i, after := range []time.Duration{0, 0, time.Second, 25 * time.Hour, time.Hour} {
			body, at := fmt.Append(nil, "body ", i), suiteTime().Add(after)
			r := request(t, "POST", "/", headers...)
			for line := range strings.SplitSeq(string(tmpl.Append(nil, body, at)), "\r\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			want := request(t, "POST", "/", headers...)
			Sign(want, body, k, "us-east-1", "sqs", at)
			for _, name := range []string{"X-Amz-Date", "Authorization", "X-Amz-Security-Token"} {
				if got, want := r.Header.Get(name), want.Header.Get(name); got != want {
					t.Errorf("request %d: %s is %q, want %q", i, name, got, want)
				}
			}
			v := New(Config{Now: func() time.Time { return at }})
			if _, err := v.Verify(r, body, suiteLookup); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
	}
}

// TestTemplateTakesNoMemory within one second.
func TestTemplateTakesNoMemory(t *testing.T) {
	tmpl := NewTemplate(request(t, http.MethodPost, "/"), Key{
		AccessKeyID: suiteKeyID, Secret: NewSecret(suiteSecret),
	}, "us-east-1", "sqs")
	body, lines := []byte("body"), make([]byte, 0, 1<<10)
	n := testing.AllocsPerRun(100, func() { lines = tmpl.Append(lines[:0], body, suiteTime()) })
	if n != 0 {
		t.Errorf("%v allocations for each", n)
	}
}
