package kms

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the answers into the scripts")

// TestScripts runs testdata: blocks of a comment, a command "who Operation
// {json}", a line of dashes and the answer. What is random in an answer gets a
// name at its first sight, such as <uuid1>, by which later commands refer to it.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			runScript(t, file)
		})
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	names := &names{known: map[string]string{}, count: map[string]int{}}
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		command, want, _ := strings.Cut(block, "\n----\n")
		command = strings.TrimSuffix(command, "\n----")
		got := ""
		for line := range strings.SplitSeq(command, "\n") {
			if !strings.HasPrefix(line, "#") && line != "" {
				got = names.hide(run(t, w, names.show(line)))
			}
		}
		if got != want && !*rewrite {
			t.Errorf("%s\n  got: %s\n want: %s", command, got, want)
		}
		out = append(out, command+"\n----\n"+got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var command = regexp.MustCompile(`^(\S+(?: via \S+)?) ([A-Z]\w+) (\{.*\})$`)

// run executes one command; "fences" shows what was fenced since the last.
func run(t *testing.T, w *world, line string) string {
	switch verb, rest, _ := strings.Cut(line, " "); verb {
	case "fences":
		return cmp.Or(strings.Join(w.fences.take(), "\n"), "none")
	case "days":
		n, err := strconv.Atoi(rest)
		w.now = w.now.Add(time.Duration(n) * day)
		return fmt.Sprint(w.now, " ", err)
	case "sweep":
		return fmt.Sprint(w.svc.Sweep(t.Context()))
	case "owned":
		name, err := w.svc.EnsureOwned(t.Context(), rest, here)
		return fmt.Sprint(name, " ", err)
	case "managed":
		name, err := w.svc.EnsureManaged(t.Context(), home, here, rest)
		return fmt.Sprint(name, " ", err)
	}
	m := command.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no command: %s", line)
	}
	return w.do(m[1], m[2], m[3])
}

// names stand for what is random.
type names struct {
	known map[string]string // by what they stand for
	count map[string]int
}

var random = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|` +
	`"(?:CiphertextBlob|GrantToken|NextMarker)":"([^"]+)"`)

func (n *names) hide(text string) string {
	return random.ReplaceAllStringFunc(text, func(s string) string {
		kind, before, after := "hex", "", ""
		switch {
		case s[0] == '"':
			member, value, _ := strings.Cut(strings.Trim(s, `"`), `":"`)
			kind, before, after, s = strings.ToLower(member), `"`+member+`":"`, `"`, value
		case s[8] == '-':
			kind = "uuid"
		}
		name, ok := n.known[s]
		if !ok {
			n.count[kind]++
			name = fmt.Sprintf("<%s%d>", kind, n.count[kind])
			n.known[s] = name
		}
		return before + name + after
	})
}

func (n *names) show(text string) string {
	for value, name := range n.known {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}
