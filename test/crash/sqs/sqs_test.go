package sqs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"coffer/test/apiclient"
	"coffer/test/process"
)

// patience is how long one round may take.
const patience = 4 * time.Minute

// program is the built coffer.
var program string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &program)) }

// series is rounds on one data directory.
type series struct {
	t    *testing.T
	data string
	proc *process.Process
}

// start starts the process and gives what `coffer env` prints.
func (s *series) start() map[string]string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var err error
	if s.proc, err = process.Start(ctx, program, s.data); err != nil {
		s.t.Fatal(err)
	}
	env, err := s.proc.Env(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return env
}

// must ends the test with what is known of the round.
func (s *series) must(r *round, what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Logf("log:\n%s", s.proc.Log())
		s.t.Fatalf("%s: %v\nplan: %v\nfindings: %q", what, err, r.plan, r.history.findings)
	}
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

// rounds is how many there are: COFFER_CRASH_ROUNDS, or a few.
func rounds(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("COFFER_CRASH_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 1
	}
	return 4
}

// TestKill loads, kills, restarts and drains again and again on one directory.
func TestKill(t *testing.T) {
	t.Parallel()
	s := &series{t: t, data: filepath.Join(t.TempDir(), "data")}
	rng := rand.New(rand.NewPCG(seed(t), 0))
	env := s.start()
	t.Cleanup(func() {
		if err := s.proc.Stop(); err != nil {
			t.Error(err)
		}
	})
	api, err := apiclient.New(env)
	if err != nil {
		t.Fatal(err)
	}
	key, err := api.CreateKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told, messages := 0, 0
	for n := range rounds(t) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r := newRound(ctx, rng, fmt.Sprintf("r%d-", n))
		r.env = env
		s.must(r, "create", r.create(key))
		s.must(r, "load", r.load(s.proc.Kill))
		r.env = s.start()
		s.must(r, "again", r.again())
		s.must(r, "deleted queue", r.removed())
		if r.plan.again > 0 {
			s.must(r, "interrupted drain", r.interrupt(s.proc.Kill))
			r.env = s.start()
		}
		err := r.drain()
		for _, f := range r.history.check() {
			t.Error(f)
		}
		if err != nil || t.Failed() {
			t.Fatalf("drain: %v\nplan: %v\nlog:\n%s", err, r.plan, s.proc.Log())
		}
		s.must(r, "clear", r.clear())
		env = r.env
		told += r.history.told
		messages += len(r.history.messages)
		cancel()
	}
	t.Logf("%d messages, %d answers that bind", messages, told)
}
