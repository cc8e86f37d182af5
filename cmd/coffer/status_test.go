package main

import (
	"errors"
	"fmt"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/node"
)

// TestStatus: the exit status and the text of the ends of a process.
func TestStatus(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("%w: shard 3 is lost", node.ErrFailed)
	stop := fault.Wrap(fault.Unavailable, errors.New("the disk is gone"), "try again")
	for want, c := range map[string]struct {
		err    error
		status int
	}{
		"the process cannot go on: shard 3 is lost": {lost, 70},
		"the process cannot go on: shard 3 is lost\nstop: try again: the disk is gone": {
			errors.Join(lost, fmt.Errorf("stop: %w", stop)), 70},
		"stop: try again: the disk is gone": {fmt.Errorf("stop: %w", stop), 1},
		"broken: the cause": {
			fault.Wrap(fault.Internal, errors.New("the cause"), "broken"), 1},
		"choose another": {fmt.Errorf("start: %w",
			fault.Wrap(fault.Invalid, errors.New("the cause"), "choose another")), 2},
	} {
		if got := explain(c.err); got != want {
			t.Errorf("%q is told as %q", want, got)
		}
		if got := status(c.err); got != c.status {
			t.Errorf("%q exits with %d", want, got)
		}
	}
}
