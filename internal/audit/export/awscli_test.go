package export

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAWSCLI has the AWS CLI's own validation read an export; make compat runs it.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	python, script := os.Getenv("COFFER_AWSCLI_PYTHON"), os.Getenv("COFFER_VALIDATE_LOGS")
	if python == "" {
		t.Skip("the AWS CLI is not here: make compat")
	}
	w := newWorld(t)
	w.add(home, "us-east-1", at(1, 1), at(1, 2), at(1, 30), at(4, 4), at(5, 5))
	dir := t.TempDir()
	if _, err := w.run(Config{Dir: dir, Now: at(6, 0)}); err != nil {
		t.Fatal(err)
	}
	validate := func() (string, error) {
		out, err := exec.Command(python, script, dir, home, "us-east-1").CombinedOutput()
		return string(out), err
	}
	out, err := validate()
	if err != nil || !strings.Contains(out, "5/5 digest files valid") ||
		!strings.Contains(out, "4/4 log files valid") {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range w.files(dir) {
		if strings.Contains(name, "CloudTrail_us-east-1") {
			w.must(os.Rename(filepath.Join(dir, name), filepath.Join(dir, "gone")))
			break
		}
	}
	if out, err := validate(); err == nil || !strings.Contains(out, "INVALID: not found") {
		t.Errorf("a file is missing: %v\n%s", err, out)
	}
}
