package kit

import (
	"context"
	"testing"

	"coffer/test/process"
)

// Run runs a command of the binary to its end, within Patience.
func Run(t testing.TB, binary string, args ...string) process.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	r, err := process.Run(ctx, binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
