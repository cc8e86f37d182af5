package accesslog

import (
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"coffer/internal/audit"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// s3 is how AWS's documentation reads server access logs, with all that follows the user
// agent.
//
// Source: Amazon S3 user guide, "Using Amazon S3 server access logs to identify requests"
var s3 = regexp.MustCompile(`^([^ ]*) ([^ ]*) \[(.*?)\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ` +
	`("[^"]*"|-) (-|[0-9]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ("[^"]*"|-) ` +
	`([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*)$`)

// split gives the fields of a line as they were written.
func split(t *testing.T, line string) (fields []string) {
	t.Helper()
	m := s3.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no line of an access log: %q", line)
	}
	for _, f := range m[1:] {
		f = strings.Trim(f, `"`)
		s, err := url.PathUnescape(f)
		if err != nil {
			t.Fatalf("%q in %q: %v", f, line, err)
		}
		if f == "-" {
			s = ""
		}
		fields = append(fields, s)
	}
	return fields
}

func all(string) bool { return true }

// TestLines_D04 holds lines against testdata/lines.txt: an event, ----, its lines, and an
// empty line.
func TestLines_D04(t *testing.T) {
	t.Parallel()
	const file = "testdata/lines.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		in, _, _ := strings.Cut(block, "----")
		e := &audit.Event{}
		if err := json.Unmarshal([]byte(in[strings.IndexByte(in, '{'):]), e); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		lines := string(Append(nil, e, all))
		for line := range strings.Lines(lines) {
			split(t, strings.TrimSuffix(line, "\n"))
		}
		got = append(got, in+"----\n"+lines)
	}
	want := strings.Join(got, "\n")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s differs; -update rewrites it:\n%s", file, want)
	}
}

// FuzzLine_D04: an event of one message is one line, which splits into what the event says,
// whatever a client chose.
func FuzzLine_D04(f *testing.F) {
	forged := "x\n000000000000 other [01/Jan/2026:00:00:00 +0000] 192.0.2.1"
	f.Add("orders", "m-1", "aws-cli/2", "POST / HTTP/1.1", "AccessDenied", "localhost")
	f.Add("a b", "-", `"-" "`, `"`, "%2D", "-\\")
	f.Add(forged, forged, forged, forged, forged, forged)
	f.Add("a:b", "\x00\x7f\u0085\u2028\u202e", "é", "%", "%zz", " ")
	f.Fuzz(func(t *testing.T, name, key, agent, uri, code, host string) {
		arn := "arn:aws:sqs:us-east-1:000000000000:" + name
		e := &audit.Event{EventSource: source, EventName: "SendMessage", UserAgent: agent,
			ErrorCode: code, UserIdentity: audit.Identity{ARN: key}, SourceIPAddress: host,
			Resources:  []audit.Resource{{Type: queueType, ARN: arn}},
			TLSDetails: &audit.TLSDetails{ClientProvidedHostHeader: host},
			AdditionalEventData: map[string]any{"requestURI": uri,
				"messageIds": []any{key}, "messageBytes": []any{float64(len(key))}}}
		text := string(Append(nil, e, all))
		if name == "" {
			if text != "" {
				t.Fatalf("no queue: %q", text)
			}
			return
		}
		line, rest, whole := strings.Cut(text, "\n")
		if !whole || rest != "" {
			t.Fatalf("not one line: %q", text)
		}
		got := split(t, line)
		want := []string{"000000000000", name, got[2], host, key, "", "SendMessage", key, uri, "",
			code, "", got[12], "", "", "", agent, "", "", "", "", "", host, "", arn, "", ""}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}
