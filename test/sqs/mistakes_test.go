package sqs

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A mistake is a wrong request and what AWS says to it. In testdata/mistakes it is some
// lines, with an empty one behind:
//
//	Operation {"Member":"value"}
//	status code name
//	text
//
// The code is the query protocol's and the name JSON's. The request is made in both
// protocols, unless json or query stands before the operation; a body that begins with no
// brace is sent as it stands. A line that begins with "query: " is the text of that
// protocol where it is another one. Status 200 is of a batch whose first failed entry has
// the code and the text. $name is what the table's queues and handles are called, and $x80
// is 80 times x.
type mistake struct {
	file                 string
	protocol, op, in     string
	status               int
	code, kind           string
	text, textAsked      string // textAsked: in the query protocol
	askedDiffers, failed bool
}

// TestMistakes makes every mistake of the table. None of them changes anything.
func TestMistakes(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := s.furnish()
	rows := readMistakes(t, names)
	if len(rows) < 150 {
		t.Errorf("%d wrong requests, want 150 at least", len(rows))
	}
	before := s.counts(names)
	for _, m := range rows {
		if m.protocol != "query" {
			m.check(t, "json", s.json(m.op, m.in))
		}
		if m.protocol == "json" {
			continue
		}
		body := m.in
		if strings.HasPrefix(m.in, "{") {
			in := members{}
			d := json.NewDecoder(strings.NewReader(m.in))
			d.UseNumber()
			if err := d.Decode(&in); err != nil {
				t.Fatalf("%s: %s %s: %v", m.file, m.op, m.in, err)
			}
			body = form(m.op, in)
		}
		m.check(t, "query", s.query(m.op, body))
	}
	if after := s.counts(names); !slices.Equal(after, before) {
		t.Errorf("queues hold %v, before %v", after, before)
	}
}

func (m *mistake) check(t *testing.T, protocol string, got answer) {
	t.Helper()
	want := answer{status: m.status, code: m.code, kind: m.kind, message: m.text}
	if protocol == "query" {
		want.kind = ""
		if m.askedDiffers {
			want.message = m.textAsked
		}
	}
	if m.failed {
		want.kind = ""
		got = firstFailed(got)
	}
	if got.String() != want.String() {
		t.Errorf("%s: %s %s %.300s\n got %.400s\nwant %.400s",
			m.file, protocol, m.op, m.in, got, want)
	}
}

// firstFailed gives a batch's first failed entry as an answer.
func firstFailed(a answer) answer {
	if a.status != http.StatusOK {
		return a
	}
	var out struct {
		Failed []struct{ Code, Message string }
	}
	if json.Unmarshal(a.body, &out) != nil { // the query protocol's
		code, message := between(string(a.body), "Code"), between(string(a.body), "Message")
		return answer{status: a.status, code: code, message: message}
	}
	if len(out.Failed) == 0 {
		return a
	}
	return answer{status: a.status, code: out.Failed[0].Code, message: out.Failed[0].Message}
}

func between(text, element string) string {
	_, rest, _ := strings.Cut(text, "<"+element+">")
	inner, _, _ := strings.Cut(rest, "</"+element+">")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&quot;", `"`, "&apos;", "'",
		"&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(inner)
}

func readMistakes(t *testing.T, names map[string]string) (rows []*mistake) {
	t.Helper()
	files, err := filepath.Glob("testdata/mistakes/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "\n\n") {
			m := parseMistake(strings.TrimSpace(block), names)
			if m == nil {
				t.Fatalf("%s: %q is no mistake", file, block)
			}
			if m.op != "" {
				m.file = filepath.Base(file)
				rows = append(rows, m)
			}
		}
	}
	return rows
}

// parseMistake reads a block; a comment alone is a mistake without an operation.
func parseMistake(block string, names map[string]string) *mistake {
	for strings.HasPrefix(block, "#") {
		_, block, _ = strings.Cut(block, "\n")
	}
	if block == "" {
		return &mistake{}
	}
	lines := strings.Split(expand(block, names), "\n")
	if len(lines) < 3 {
		return nil
	}
	m := &mistake{text: lines[2]}
	m.op, m.in, _ = strings.Cut(lines[0], " ")
	if m.op == "json" || m.op == "query" {
		m.protocol = m.op
		m.op, m.in, _ = strings.Cut(m.in, " ")
	}
	answer := strings.Fields(lines[1])
	if len(answer) == 2 {
		answer = append(answer, answer[1])
	}
	var err error
	if m.status, err = strconv.Atoi(answer[0]); err != nil || len(answer) != 3 {
		return nil
	}
	m.code, m.kind, m.failed = answer[1], answer[2], m.status == http.StatusOK
	if len(lines) > 3 {
		m.textAsked, m.askedDiffers = strings.CutPrefix(lines[3], "query: ")
	}
	return m
}

// expand puts in what $names stand for. One that is unknown stays, and shows.
func expand(text string, names map[string]string) string {
	return os.Expand(text, func(name string) string {
		if v, ok := names[name]; ok {
			return v
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "x")); err == nil {
			return strings.Repeat("x", n)
		}
		return "$" + name
	})
}
