package scale

import (
	"context"
	"fmt"
	"os"
	"testing"

	"coffer/test/process"
)

// program is the built coffer, amounts what to do with it.
var (
	program string
	amounts plan
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "coffer-scale-*")
	if err == nil {
		program, err = process.Build(context.Background(), dir)
	}
	if err == nil {
		amounts, err = newPlan()
	}
	if err == nil {
		err = os.Setenv("GODEBUG", "gctrace=1") // of the binary; see trace
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// run starts the binary, and kills it at the end of the test if it still runs.
func run(t *testing.T, data string) *server {
	t.Helper()
	s, err := start(t.Context(), program, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.over {
			return
		}
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table begins a Markdown table on the test's output.
func table(t *testing.T, columns ...string) {
	line := "|"
	for range columns {
		line += " --- |"
	}
	row(t, columns...)
	fmt.Fprintln(t.Output(), line)
}

func row(t *testing.T, cells ...string) {
	text := "|"
	for _, c := range cells {
		text += " " + c + " |"
	}
	fmt.Fprintln(t.Output(), text)
}
