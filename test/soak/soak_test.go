package soak

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/test/process"
)

// program is the built coffer.
var program string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &program)) }

// Windows of a run that is not short.
const (
	shortestWindow = 5 * time.Second
	longestWindow  = time.Minute
	manyWindows    = 120
)

// configured is for a run of COFFER_SOAK, or for a few seconds.
func configured(t *testing.T) Config {
	t.Helper()
	cfg := Config{
		Binary: program, Dir: t.TempDir(), Window: time.Second / 2, Windows: 9, Rate: 200,
		Share: .7, Seed: 1, Logf: t.Logf,
	}
	text := os.Getenv("COFFER_SOAK")
	if text == "" {
		return cfg
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Window = min(max(length/manyWindows, shortestWindow), longestWindow)
	cfg.Windows = max(1, int(length/cfg.Window))
	cfg.Measure = min(length/10, time.Minute)
	cfg.Seed, cfg.Rate = rand.Uint64(), 0
	if n, err := strconv.ParseUint(os.Getenv("COFFER_SOAK_SEED"), 10, 64); err == nil {
		cfg.Seed = n
	}
	if rate, err := strconv.ParseFloat(os.Getenv("COFFER_SOAK_RATE"), 64); err == nil {
		cfg.Rate = rate
	}
	if load, err := strconv.ParseFloat(os.Getenv("COFFER_SOAK_LOAD"), 64); err == nil {
		cfg.Share = load / 100
	}
	cfg.Out = os.Getenv("COFFER_SOAK_OUT")
	if dir := os.Getenv("COFFER_SOAK_DIR"); dir != "" {
		if cfg.Dir, err = filepath.Abs(dir); err == nil {
			err = os.MkdirAll(cfg.Dir, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("COFFER_SOAK=%s COFFER_SOAK_SEED=%d COFFER_SOAK_RATE=%g COFFER_SOAK_LOAD=%g, "+
		"%d windows of %v, in %s", length, cfg.Seed, cfg.Rate, 100*cfg.Share, cfg.Windows,
		cfg.Window, cfg.Dir)
	return cfg
}

// TestSoak soaks, and finds nothing.
func TestSoak(t *testing.T) {
	found, err := Run(t.Context(), configured(t))
	for _, f := range found {
		t.Error(f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaults does everything wrong that it can, and finds each of it: what a run does not
// find is not tested.
func TestFaults(t *testing.T) {
	cfg := configured(t)
	cfg.faults = []fault{drop, double, leak, tell, backward, stranger}
	// Many short windows, so that there are enough for a trend.
	cfg.Window, cfg.Windows, cfg.Rate = cfg.Window/2, 15, 400
	found, err := Run(t.Context(), cfg)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"is lost", "delivered", "descriptors: ", "goroutines: ", "the log holds a secret",
		"became less", "stranger: ",
	} {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("nothing is found of %q", want)
		}
	}
	t.Logf("%q", found)
}
