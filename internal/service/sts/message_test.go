package sts

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/sigv4"
)

// denial sends a request that is denied and gives the sealed reason of its answer.
func (w *world) denial(key string) string {
	w.t.Helper()
	body := []byte("Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIAIOSFODNN7EXAMPLE")
	r := httptest.NewRequest("POST", "https://localhost/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sigv4.Sign(r, body, sigv4.Key{AccessKeyID: key, Secret: sigv4.NewSecret("secret")}, region,
		"sts", w.time())
	rec := httptest.NewRecorder()
	w.gw.ServeHTTP(rec, r)
	if rec.Code != 403 {
		w.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return rec.Header().Get("X-Coffer-Authorization-Message")
}

// TestDecodeAuthorizationMessage (D-17): the reason of a denial can be read by who
// may, in the account of the resource, and by nobody else.
func TestDecodeAuthorizationMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sealed := w.denial("AKIAALICE")
	shown := w.newest("AKIAALICE").AdditionalEventData["encodedAuthorizationMessage"]
	if sealed == "" || shown != sealed {
		t.Fatalf("answered %q, on record %q", sealed, shown)
	}
	in := &api.DecodeAuthorizationMessageInput{EncodedMessage: sealed}
	_, err := w.as("AKIAALICE").DecodeAuthorizationMessage(t.Context(), in)
	refused(t, err, "AccessDenied", "sts:DecodeAuthorizationMessage")
	out, err := w.as("AKIAROOT").DecodeAuthorizationMessage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Allowed, ExplicitDeny bool
		Explanation           string
		Context               struct {
			Principal        struct{ ID, ARN string }
			Action, Resource string
			Conditions       struct {
				Items []struct {
					Key    string
					Values struct{ Items []struct{ Value string } }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out.DecodedMessage), &m); err != nil {
		t.Fatal(err)
	}
	c := m.Context
	if m.Allowed || m.ExplicitDeny || c.Action != "sts:GetAccessKeyInfo" || c.Resource != "*" ||
		c.Principal.ARN != aliceARN() || c.Principal.ID != "AIDAALICE" ||
		!strings.Contains(m.Explanation, "nothing allows") ||
		!strings.Contains(out.DecodedMessage, `{"key":"aws:RequestedRegion","values":`+
			`{"items":[{"value":"eu-west-1"}]}}`) {
		t.Errorf("%s", out.DecodedMessage)
	}
	w.may("AKIABOB", "sts:*")
	flipped := []byte(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, text := range map[string]string{
		"AKIABOB": sealed, "AKIAROOT": string(flipped), "AKIAROOT ": sealed[1:],
		"AKIAROOT  ": "AAAA", "AKIAROOT   ": newWorld(t).denial("AKIAALICE"),
	} {
		_, err := w.as(strings.TrimSpace(name)).DecodeAuthorizationMessage(t.Context(),
			&api.DecodeAuthorizationMessageInput{EncodedMessage: text})
		refused(t, err, "InvalidAuthorizationMessageException", "not valid")
	}
}
