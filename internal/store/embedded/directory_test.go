package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// TestMain lets the test binary be the second process of TestInUse.
func TestMain(m *testing.M) {
	if dir := os.Getenv("COFFER_TEST_SECOND"); dir != "" {
		_, err := embedded.Open(embedded.Config{Dir: dir})
		fmt.Println(errors.Is(err, store.ErrInUse), err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "yet", "there")
	e, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	second := exec.Command(os.Args[0])
	second.Env = append(os.Environ(), "COFFER_TEST_SECOND="+dir)
	text, err := second.CombinedOutput()
	out := string(text)
	if err != nil || !strings.HasPrefix(out, "true ") || !strings.Contains(out, dir) {
		t.Errorf("a second process says %s, %v", out, err)
	}
	if _, err := embedded.Open(embedded.Config{Dir: dir}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("opened twice in a process: %v", err)
	}
	id := e.Identity()
	if n := len(e.Shards()); n != 10 || id.Shards != n || id.Cluster == id.Node {
		t.Errorf("%d shards, identity %+v", n, id)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = embedded.Open(embedded.Config{Dir: dir}); err != nil {
		t.Fatalf("after close: %v", err)
	}
	if e.Identity() != id {
		t.Errorf("the identity became %+v", e.Identity())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]embedded.Config{
		"no directory": {},
		"shards":       {Dir: "/x", FS: storetest.NewDisk(), Shards: 251},
		"in flight":    {Dir: "/x", FS: storetest.NewDisk(), InFlight: 257},
		"a file":       {Dir: blocked},
	} {
		e, err := embedded.Open(cfg)
		if err == nil || e != nil || errors.Is(err, store.ErrInUse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpenSnapshot closes an engine while a snapshot is open.
func TestOpenSnapshot(t *testing.T) {
	t.Parallel()
	e, err := open(storetest.NewDisk(), func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	if err := e.Close(); err == nil || !strings.Contains(err.Error(), "1 snapshots") {
		t.Errorf("close beside a snapshot: %v", err)
	}
	if _, _, err := snap.Get([]byte("key")); err != nil {
		t.Errorf("the snapshot does not work any more: %v", err)
	}
	if err := errors.Join(snap.Close(), e.Close()); err != nil {
		t.Errorf("close after the snapshot: %v", err)
	}
}

// TestFailure fails the first sync of a batch: its done and those of the
// batches behind it hear that they may be there, a later one that it is not.
func TestFailure(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	var fatals []error
	e, err := open(disk, func(err error) { fatals = append(fatals, err) })
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Open(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	disk.OnChange(func(c storetest.Change) error {
		if c.Op == "sync" && strings.HasSuffix(c.Name, ".log") {
			return broken
		}
		return nil
	})
	release := disk.Hold()
	errs := make(chan error, 4)
	for range 3 {
		s.Propose(new(store.Batch), func(_ store.Position, err error) { errs <- err })
	}
	release()
	for n := range 3 {
		if err := <-errs; !errors.Is(err, store.ErrUnknown) {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	s.Propose(new(store.Batch), func(_ store.Position, err error) { errs <- err })
	if err := <-errs; !errors.Is(err, store.ErrLost) {
		t.Errorf("a batch after the failure: %v", err)
	}
	select {
	case <-s.Lost():
	default:
		t.Error("the owner keeps its shard")
	}
	if _, err := e.Open(context.Background(), 2); !errors.Is(err, broken) {
		t.Errorf("open a shard after the failure: %v", err)
	}
	if err := e.Close(); !errors.Is(err, broken) {
		t.Errorf("close: %v", err)
	}
	if len(fatals) != 1 || !errors.Is(fatals[0], broken) ||
		!strings.Contains(fatals[0].Error(), ".log") {
		t.Errorf("fatal got %v", fatals)
	}
}
