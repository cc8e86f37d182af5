package telemetry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// checkTimeout bounds all checks of a request together.
const checkTimeout = 5 * time.Second

// Check says why something is not well, or nil. It must be cheap, return when
// ctx ends, and bear being called from several goroutines.
type Check func(ctx context.Context) error

// Health is what the process knows about itself. The maps go from the name of
// a part to its check and must not change while a handler uses them.
type Health struct {
	// Live checks fail when only a restart can help.
	Live map[string]Check
	// Ready checks fail while clients should go elsewhere: starting, stopping.
	Ready map[string]Check
	// Shown checks only add what they say to the answers of both: clients are
	// served, but an operator should know.
	Shown map[string]Check
}

// finding is what a check said.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, failed, warning
	Reason string `json:"reason,omitempty"`
}

// examine runs the checks in the order of their names, then the shown ones, of which it
// gives those that say something. It is well when none of checks fails.
func examine(ctx context.Context, checks, shown map[string]Check) (list []finding, well bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	well = true
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](ctx); err != nil {
			well = false
			list = append(list, finding{name, "failed", err.Error()})
			continue
		}
		list = append(list, finding{name, "ok", ""})
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if err := shown[name](ctx); err != nil {
			list = append(list, finding{name, "warning", err.Error()})
		}
	}
	return list, well
}

// Report runs the checks in the order of their names, and gives a line each. It is
// well when none of checks fails; shown ones may.
func Report(ctx context.Context, checks, shown map[string]Check) (text string, well bool) {
	list, well := examine(ctx, checks, shown)
	return lines(list, well), well
}

// lines are findings for people.
func lines(list []finding, well bool) string {
	var b strings.Builder
	for _, f := range list {
		switch f.State {
		case "ok":
			fmt.Fprintf(&b, "%s: ok\n", f.Check)
		case "failed":
			fmt.Fprintf(&b, "%s: %s\n", f.Check, f.Reason)
		default:
			fmt.Fprintf(&b, "%s: %s: %s\n", f.Check, f.State, f.Reason)
		}
	}
	if well {
		b.WriteString("ok\n")
	}
	return b.String()
}
