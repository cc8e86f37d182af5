package differential

import (
	"context"
	"slices"
	"strings"
	"time"
)

// shortWait is how long a consequence may be missing in a shorter script.
const shortWait = 2 * time.Second

// shrink makes a script that shows a difference as short as it can within the time,
// and gives what the short one shows. Fewer steps are tried from large parts down to
// single ones.
func (p *pair) shrink(ctx context.Context, script []step, shown string, limit time.Duration) (
	[]step, string,
) {
	deadline := time.Now().Add(limit)
	defer func(wait time.Duration) { p.wait = wait }(p.wait)
	p.wait = shortWait
	for size := max(len(script)/2, 1); ; size = max(size/2, 1) {
		before := len(script)
		for from := len(script) - size; from > -size; from -= size {
			shorter := slices.Delete(slices.Clone(script), max(from, 0), from+size)
			at, difference, err := p.play(ctx, shorter)
			if time.Now().After(deadline) {
				return script, shown
			}
			if err == nil && difference != "" {
				script, shown = shorter[:at+1], difference
				from = min(from, len(script))
			}
		}
		if size == 1 && len(script) == before {
			return script, shown
		}
	}
}

// lines gives the lines of a script.
func lines(script []step) string {
	var b strings.Builder
	for _, st := range script {
		b.WriteString("\t" + st.String() + "\n")
	}
	return b.String()
}
