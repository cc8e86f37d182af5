package deploy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// binary is the built coffer, and client what is in the folder client. All users may
// run them.
var binary, client string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &binary, prepare)) }

// prepare lets all users into dir, and builds the client there.
func prepare(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	client = filepath.Join(dir, "client")
	cmd := exec.Command("go", "build", "-o", client, "./client")
	if packages() { // it runs where there is no library
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build client: %w\n%s", err, out)
	}
	return nil
}

// packages reports whether the tests that need a machine's root are wanted.
func packages() bool { return os.Getenv("COFFER_PACKAGES") != "" }

// roundTrip sends a message to broker main of a data directory that is served, and gets
// it.
func roundTrip(t *testing.T, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	env, err := process.Env(ctx, binary, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"put", "take"} {
		cmd := exec.CommandContext(ctx, client, verb, "a message")
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", verb, err, out)
		}
	}
}
