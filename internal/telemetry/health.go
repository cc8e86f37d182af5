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

// Report runs the checks in the order of their names, and gives a line each. It is
// well when none of checks fails; shown ones may.
func Report(ctx context.Context, checks, shown map[string]Check) (text string, well bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var b strings.Builder
	well = true
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](ctx); err != nil {
			well = false
			fmt.Fprintf(&b, "%s: %v\n", name, err)
			continue
		}
		fmt.Fprintf(&b, "%s: ok\n", name)
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if err := shown[name](ctx); err != nil {
			fmt.Fprintf(&b, "%s: warning: %v\n", name, err)
		}
	}
	if well {
		b.WriteString("ok\n")
	}
	return b.String(), well
}
