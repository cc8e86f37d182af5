package core

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Round is one load, with kills and a drain.
type Round struct {
	Plan   *Plan
	Ledger *Ledger
	Log    bytes.Buffer // what the children wrote to standard error

	seed   uint64
	number int
	data   string
}

// NewRound makes a round on a data directory, which earlier ones may have used.
func NewRound(seed uint64, number int, data string) *Round {
	p := NewPlan(seed, number)
	return &Round{Plan: p, Ledger: NewLedger(p), seed: seed, number: number, data: data}
}

// Run loads, kills, drains, kills the drain as often as is planned, and drains to
// the end. An error means that the round could not be played.
func (r *Round) Run(ctx context.Context) error {
	l := r.Ledger
	if err := r.live(ctx, "load", func() bool { return l.confirmed >= r.Plan.Quota }); err != nil {
		return err
	}
	for _, again := range r.Plan.Again {
		from := l.got
		err := r.live(ctx, "drain", func() bool { return l.got-from >= again })
		if err != nil {
			return err
		}
	}
	return r.live(ctx, "drain", func() bool { return false })
}

// live runs a child until enough is reached and some microseconds more, then kills
// it; or until it ends by itself.
func (r *Round) live(ctx context.Context, role string, enough func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	self, err := os.Executable()
	if err != nil {
		return errors.Join(err, write.Close())
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(environment(),
		envRole+"="+role, envData+"="+r.data,
		envSeed+"="+strconv.FormatUint(r.seed, 10), envNumber+"="+strconv.Itoa(r.number),
		envLife+"="+strconv.Itoa(r.Ledger.life))
	cmd.ExtraFiles = []*os.File{write}
	cmd.Stdout, cmd.Stderr = &r.Log, &r.Log
	cmd.SysProcAttr = die()
	err = cmd.Start()
	if err = errors.Join(err, write.Close()); err != nil {
		return err
	}
	ended, err := r.listen(read, cmd, enough)
	werr := cmd.Wait()
	r.Ledger.Killed(time.Now().UnixMilli())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s takes too long: %w", role, context.Cause(ctx))
	case err != nil:
		return err
	case werr != nil && (ended || !killed(cmd)):
		return fmt.Errorf("%s: %w", role, werr)
	case werr == nil && !ended:
		return fmt.Errorf("%s ended early", role)
	}
	return nil
}

// listen hands records to the ledger until the pipe ends. It reports whether the
// child did all it had to do.
func (r *Round) listen(read *os.File, cmd *exec.Cmd, enough func() bool) (bool, error) {
	lines := bufio.NewReaderSize(read, 1<<20)
	killing := false
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // a record that is not whole was not written
			return false, nil
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return false, fmt.Errorf("record %q: %w", line, err)
		}
		if rec.Kind == Drained {
			return true, nil
		}
		r.Ledger.Apply(&rec)
		if !killing && rec.Kind != Opened && enough() {
			killing = true
			time.AfterFunc(time.Duration(r.Plan.Micro)*time.Microsecond, func() {
				_ = cmd.Process.Kill() // that it has ended is no error
			})
		}
	}
}

func killed(cmd *exec.Cmd) bool {
	return cmd.ProcessState != nil && strings.Contains(cmd.ProcessState.String(), "killed")
}

// environment is the tester's own without what would configure a child.
func environment() []string {
	var list []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "COFFER_") {
			list = append(list, kv)
		}
	}
	return list
}
