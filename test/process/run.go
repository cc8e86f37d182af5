package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Result is what a command that ended by itself left.
type Result struct {
	Out, Err string
	Code     int
}

// Run runs a command of the binary to its end, which ctx bounds. An exit code
// is no error.
func Run(ctx context.Context, binary string, args ...string) (Result, error) {
	var out, stderr strings.Builder
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.SysProcAttr = Environment(), Die()
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	r := Result{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if _, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("coffer %s: %w\n%s", strings.Join(args, " "), err, r.Err)
	}
	return r, err
}
