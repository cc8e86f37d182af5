package wire

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

// Numbers, names and classes as in RabbitMQ's rabbit_framing.
func TestCodes(t *testing.T) {
	want := map[Code]string{
		200: "REPLY_SUCCESS", 311: "CONTENT_TOO_LARGE", 312: "NO_ROUTE", 313: "NO_CONSUMERS",
		320: "CONNECTION_FORCED hard", 402: "INVALID_PATH hard", 403: "ACCESS_REFUSED",
		404: "NOT_FOUND", 405: "RESOURCE_LOCKED", 406: "PRECONDITION_FAILED",
		501: "FRAME_ERROR hard", 502: "SYNTAX_ERROR hard", 503: "COMMAND_INVALID hard",
		504: "CHANNEL_ERROR hard", 505: "UNEXPECTED_FRAME hard", 506: "RESOURCE_ERROR hard",
		530: "NOT_ALLOWED hard", 540: "NOT_IMPLEMENTED hard", 541: "INTERNAL_ERROR hard",
	}
	for c := range Code(1000) {
		got := c.String()
		if c.Hard() {
			got += " hard"
		}
		if w, ok := want[c]; ok && got != w || !ok && got != fmt.Sprintf("CODE_%d", c) {
			t.Errorf("%d is %s", c, got)
		}
	}
}

func TestReplyText(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "NOT_FOUND"},
		{"no queue 'q' in vhost '/'", "NOT_FOUND - no queue 'q' in vhost '/'"},
		{strings.Repeat("a", 243), "NOT_FOUND - " + strings.Repeat("a", 243)},
		{strings.Repeat("a", 244), "NOT_FOUND - " + strings.Repeat("a", 240) + "..."},
		{strings.Repeat("a", 239) + strings.Repeat("é", 9),
			"NOT_FOUND - " + strings.Repeat("a", 239) + "..."},
	} {
		got := ReplyText(NotFound, tc.text)
		if got != tc.want || len(got) > 255 || !utf8.ValidString(got) {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestSecretRedacts(t *testing.T) {
	m := &ConnectionStartOk{Mechanism: "PLAIN", Response: Secret("\x00guest\x00hunter2")}
	asJSON, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "response", m.Response, "m", m)
	for _, s := range []string{
		m.Response.String(), string(asJSON), log.String(), fmt.Sprint(m), fmt.Sprintf("%v", *m),
		fmt.Sprintf("%+v %#v", m, m), fmt.Sprintf("%s %x %q %d", m.Response, m.Response,
			m.Response, m.Response),
	} {
		// Also in hexadecimal and as numbers.
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e") ||
			strings.Contains(s, "104 117") || !strings.Contains(s, redacted) {
			t.Errorf("shown: %s", s)
		}
	}
	if string(m.Response) != "\x00guest\x00hunter2" {
		t.Error("the octets cannot be reached")
	}
}
