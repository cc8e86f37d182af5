package scale

import (
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
	os.Exit(process.Main(m, &program, func(string) (err error) {
		if amounts, err = newPlan(); err != nil {
			return err
		}
		return os.Setenv("GODEBUG", "gctrace=1") // of the binary; see trace
	}))
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
