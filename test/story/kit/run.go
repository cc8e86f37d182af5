package kit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Result is what a command that ended left.
type Result struct {
	Out, Err string
	Code     int
}

// Run runs the binary to its end, within Patience.
func Run(t testing.TB, binary string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var out, stderr strings.Builder
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(), &out, &stderr
	cmd.SysProcAttr = die()
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ctx.Err() != nil || err != nil && !ok {
		t.Fatalf("coffer %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	} else if ok {
		return Result{out.String(), stderr.String(), exit.ExitCode()}
	}
	return Result{Out: out.String(), Err: stderr.String()}
}

// environment is the tester's own without what would configure the binary.
func environment() []string {
	var list []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "COFFER_") && !strings.HasPrefix(kv, "AWS_") {
			list = append(list, kv)
		}
	}
	return list
}
