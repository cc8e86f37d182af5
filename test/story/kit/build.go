package kit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build gives the binary to test: COFFER_BINARY if it is set, else one built
// into a new directory, which remove deletes.
func Build() (binary string, remove func() error, err error) {
	if binary = os.Getenv("COFFER_BINARY"); binary != "" {
		binary, err = filepath.Abs(binary)
		return binary, func() error { return nil }, err
	}
	dir, err := os.MkdirTemp("", "coffer-story-*")
	if err != nil {
		return "", nil, err
	}
	binary = filepath.Join(dir, "coffer")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary,
		"coffer/cmd/coffer").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return binary, func() error { return os.RemoveAll(dir) }, nil
}
