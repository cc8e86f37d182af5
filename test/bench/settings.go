package bench

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

// settings say how much is measured.
type settings struct {
	suite    string // table, growth or sqs; empty: only that the harness works
	runs     int    // of each broker, in turn
	warmup   time.Duration
	duration time.Duration
	backlog  int64          // messages of the shape that is about them
	most     int64          // messages that the growth goes up to
	only     *regexp.Regexp // names of shapes
	out      string         // directory of what is written; empty: nothing is
}

// readSettings reads them from the environment: COFFER_BENCH names the suite,
// COFFER_BENCH_RUNS and so on the rest.
func readSettings() (s settings, err error) {
	s = settings{suite: os.Getenv("COFFER_BENCH"), runs: 1, duration: 100 * time.Millisecond,
		backlog: 1000, most: 1000}
	switch s.suite {
	case "":
	case "table", "growth", "sqs":
		s.runs, s.warmup, s.duration = 5, 2*time.Second, 5*time.Second
		s.backlog, s.most, s.out = 1_000_000, 10_000_000, "../../doc/figures"
		if s.suite == "growth" { // its largest steps take minutes
			s.runs = 3
		}
	default:
		return s, fmt.Errorf("COFFER_BENCH is %q: neither table, growth nor sqs", s.suite)
	}
	number := func(name string, n *int64) {
		if text := os.Getenv("COFFER_BENCH_" + name); text != "" && err == nil {
			*n, err = strconv.ParseInt(text, 10, 64)
		}
	}
	runs := int64(s.runs)
	number("RUNS", &runs)
	number("BACKLOG", &s.backlog)
	number("MOST", &s.most)
	s.runs = int(runs)
	if text := os.Getenv("COFFER_BENCH_DURATION"); text != "" && err == nil {
		s.duration, err = time.ParseDuration(text)
	}
	s.out = cmp.Or(os.Getenv("COFFER_BENCH_OUT"), s.out)
	if err == nil {
		s.only, err = regexp.Compile(os.Getenv("COFFER_BENCH_ONLY"))
	}
	return s, err
}
