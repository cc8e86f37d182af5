package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guide is where the pages are, and followed are those whose commands are run in order.
const (
	guide    = "../../doc/operate/"
	followed = "install configure secure backup upgrade"
)

// commands gives what a page has in blocks marked sh.
func commands(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(text, -1) {
		list = append(list, string(block[1]))
	}
	return strings.Join(list, "\n")
}

// TestGuide: the pages of doc/operate are followed word by word on a machine that has
// nothing but the package in the present directory.
func TestGuide(t *testing.T) {
	needMachine(t, "debootstrap", "systemd-nspawn", "dh")
	trial := newTrial(t)
	buildPackage(t, trial)
	script := "cd /trial\n"
	for page := range strings.FieldsSeq(followed) {
		script += fmt.Sprintf("(\n: %s\n%s)\n", page, commands(t, guide+page+".md"))
	}
	boot(t, trial, script)
}

// TestGuideReads: what the pages refer to is there, and their commands are a shell's.
func TestGuideReads(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(guide + "*.md")
	if err != nil || len(pages) < len(strings.Fields(followed)) {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(guide, string(l[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-n")
		cmd.Stdin = strings.NewReader(commands(t, page))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}
