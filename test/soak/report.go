package soak

import (
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// markdown is what the run did and found, for people. flat are the sentences of trends.
func (r *run) markdown(flat []string) string {
	var b strings.Builder
	revision, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output() // or nothing
	length := time.Duration(0)
	if len(r.rows) > 0 {
		length = r.rows[len(r.rows)-1].at.Round(time.Second)
	}
	fmt.Fprintf(&b, "# Soak\n\n%s, revision %s, %s, %d cores: %d windows in %v, seed %d.\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(string(revision)),
		runtime.Version(), runtime.NumCPU(), len(r.rows), length, r.cfg.Seed)
	if r.possible > 0 {
		fmt.Fprintf(&b, "The flows reached %.0f messages/s together at first; %.0f were offered, "+
			"%.0f %%.\n", r.possible, r.offered, 100*r.offered/r.possible)
	} else {
		fmt.Fprintf(&b, "%.0f messages/s were offered.\n", r.offered)
	}
	var rate, p50, p99 []float64
	for i := range r.rows {
		w := &r.rows[i]
		rate = append(rate, w.rate)
		p50, p99 = append(p50, millis(w.p50)), append(p99, millis(w.p99))
	}
	fmt.Fprintf(&b, "%d were confirmed. Medians of the windows: %.0f a second, confirms after "+
		"%.1f ms (p50) and %.1f ms (p99).\n\n", r.ledger.Confirmed(), median(rate), median(p50),
		median(p99))
	fmt.Fprintf(&b, "%d processes served one after another, %d errors of clients were explained "+
		"by a disturbance of that moment.\n\n| disturbance | windows |\n| --- | ---: |\n",
		r.host.lives, r.excused.Load())
	counted := disturbances(r.rows)
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		fmt.Fprintf(&b, "| %s | %d |\n", name, counted[name])
	}
	b.WriteString("\nWhile no process ended:\n\n")
	for _, line := range flat {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	found := r.list()
	if len(found) == 0 {
		b.WriteString("\nNothing was found: no loss, no double, no error that a client does not " +
			"expect.\n")
		return b.String()
	}
	b.WriteString("\n**Found:**\n\n")
	for _, f := range found {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	return b.String()
}

// disturbances counts the windows of each.
func disturbances(rows []row) map[string]int {
	counted := map[string]int{}
	for i := range rows {
		for name := range strings.SplitSeq(rows[i].what(), ", ") {
			counted[name]++
		}
	}
	return counted
}
