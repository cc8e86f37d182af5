package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/fault"
)

func TestParseBounds(t *testing.T) {
	t.Parallel()
	const head = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":`
	const tail = `}]}`
	pad := strings.Repeat(" ", MaxBytes-len(head)-len(tail)-3)
	if _, err := Parse([]byte(head+`"*"`+pad+tail), Identity); err != nil {
		t.Errorf("a document of MaxBytes: %v", err)
	}
	for name, doc := range map[string]string{
		"size":   head + `"*"` + pad + " " + tail,
		"depth":  head + strings.Repeat("[", 60000) + strings.Repeat("]", 60000) + tail,
		"nested": head + `[["*"]]` + tail,
		"string": head + `"arn:aws:s3:::` + strings.Repeat("a", maxString) + `"` + tail,
		"utf8":   head + "\"*\"}],\"Id\":\"\xff\"}",
		"more":   head + `"*"` + tail + "{}",
		"list":   "[]", "empty": "", "text": `"x"`, "statement": `{"Statement":"x"}`,
		"statements": `{"Statement":["x"]}`, "id": `{"Id":1}`,
		"condition": `{"Statement":{"Condition":[]}}`,
		"key":       `{"Statement":{"Condition":{"Bool":{"x":"true"}}}}`,
	} {
		_, err := Parse([]byte(doc), Identity)
		if fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},
		"Id":"x","Version":"2008-10-17"}`), Identity)
	if err != nil {
		t.Fatal(err)
	}
	if d.Version() != "2008-10-17" || d.ID() != "x" || d.Use() != Identity {
		t.Errorf("%q %q %v", d.Version(), d.ID(), d.Use())
	}
}

// FuzzParse: no document panics, and what is taken can be evaluated and
// explained, the same way twice.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "----") {
			if i := strings.IndexByte(block, '{'); i >= 0 {
				for use := range Trust + 1 {
					f.Add([]byte(block[i:]), uint8(use))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, use uint8) {
		d, err := Parse(doc, Use(use%3))
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		r := Request{Principal: testSession(testAccount, "app", "one"), Action: "kms:Decrypt",
			Resource: testKey, EncryptionContext: map[string]string{"App": "a"}}
		r.Context.Add("aws:SourceIp", "203.0.113.1")
		if d.Use() == Identity {
			r.Identity = []Policy{{"p", d}}
		} else {
			r.ResourcePolicy = Policy{"p", d}
		}
		if a, b := Evaluate(r), Evaluate(r); a.Allowed != b.Allowed || a.Explain() != b.Explain() {
			t.Fatal("two answers")
		}
		checkSimulation(t, r)
	})
}

// checkSimulation: a simulation decides as Evaluate does, its matches lie within
// the document and fit the decision, and every line of the explanation is one.
func checkSimulation(t *testing.T, r Request) {
	t.Helper()
	s := Simulate(r)
	d := Evaluate(r)
	if s.Allowed != d.Allowed || s.Reason != d.Reason || s.By != d.By {
		t.Fatalf("evaluated %+v, simulated %+v", d, s)
	}
	byStatement := d.ExplicitDeny() || d.Allowed && d.By.Kind != FromGrant
	if byStatement != (len(s.Matches) > 0) {
		t.Fatalf("%d matches of %+v", len(s.Matches), d)
	}
	for _, m := range s.Matches {
		if m.Start.Line < 1 || m.Start.Column < 2 || m.End.Line < m.Start.Line ||
			m.End.Line == m.Start.Line && m.End.Column <= m.Start.Column {
			t.Fatalf("from %v to %v", m.Start, m.End)
		}
	}
	for line := range strings.Lines(d.Explain()) {
		key, _, found := strings.Cut(strings.TrimLeft(line, " "), ": ")
		if !found || !strings.Contains("allowed denied reason by with near met "+
			"would allow add run", key) {
			t.Fatalf("line %q", line)
		}
	}
}
