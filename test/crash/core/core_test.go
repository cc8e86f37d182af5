package core

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// seed gives the seed of a run: COFFER_CRASH_SEED, or a new one.
func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("COFFER_CRASH_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64()
	}
	t.Logf("COFFER_CRASH_SEED=%d", n)
	return n
}

// rounds is how many there are: COFFER_CRASH_ROUNDS, or fifteen, or a few.
func rounds(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("COFFER_CRASH_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 3
	}
	return 15
}

// TestKill loads, kills, restarts and drains again and again on one directory.
func TestKill(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	n, confirmed, got := seed(t), 0, 0
	for i := range rounds(t) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		r := NewRound(n, i, data)
		err := r.Run(ctx)
		cancel()
		findings := r.Ledger.Findings()
		if err == nil {
			findings = r.Ledger.Check()
		}
		if err != nil || len(findings) > 0 {
			t.Logf("log:\n%s", &r.Log)
			t.Logf("%splan: %v", r.Plan.Prefix, r.Plan)
			for _, f := range findings {
				t.Error(f)
			}
			t.Fatalf("round %d: %v", i, err)
		}
		confirmed += r.Ledger.confirmed
		got += r.Ledger.got
	}
	t.Logf("%d messages confirmed, %d deliveries", confirmed, got)
}
