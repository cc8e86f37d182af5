package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/fault"
	"coffer/internal/store/embedded"
)

// checkpoint gives a directory with a store and a checkpoint of it, and what it
// holds.
func checkpoint(t testing.TB) (dir string, b *embedded.Backup, batches uint64) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	e := small(t, dir, nil)
	l := startLoad(t, e, 1)
	l.settled(t, 300)
	l.end()
	batches = l.acked.Load()
	b, err := e.Checkpoint(embedded.CheckpointConfig{Now: time.Now(), Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return dir, b, batches
}

// backup gives a complete backup.
func backup(t testing.TB) (to string, b *embedded.Backup) {
	t.Helper()
	dir, c, _ := checkpoint(t)
	to = filepath.Join(t.TempDir(), "backup")
	done, err := embedded.CopyCheckpoint(t.Context(), embedded.CheckpointDir(dir, c.ID), to)
	if err != nil {
		t.Fatal(err)
	}
	return to, done.Backup
}

// waning is a context that ends after so many questions.
type waning struct {
	context.Context
	left atomic.Int64
}

func (w *waning) Err() error {
	if w.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestCopyGoesOn: a copy that ends at any point is no backup; the next call goes on
// and copies no file again that was there.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	dir, b, batches := checkpoint(t)
	from := embedded.CheckpointDir(dir, b.ID)
	calls := 0
	to := filepath.Join(t.TempDir(), "backup")
	kept := 0
	for n := int64(0); ; n++ {
		ctx := &waning{Context: t.Context()}
		ctx.left.Store(n)
		done, err := embedded.CopyCheckpoint(ctx, from, to)
		if calls++; err == nil {
			kept = done.Kept
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := embedded.ReadBackup(to); fault.KindOf(err) != fault.Invalid {
			t.Fatalf("call %d: a part is a backup: %v", n, err)
		}
		if id, complete, err := embedded.Unfinished(to); err != nil || complete || id != b.ID {
			t.Fatalf("call %d: begun %q, %t, %v", n, id, complete, err)
		}
	}
	if calls < 5 || kept == 0 {
		t.Errorf("%d calls, %d files kept", calls, kept)
	}
	again, err := embedded.CopyCheckpoint(t.Context(), from, to)
	if err != nil || !again.Done || again.ID != b.ID || len(again.Files) == 0 {
		t.Errorf("complete: %+v, %v", again, err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if _, err := embedded.RestoreBackup(t.Context(), to, restored, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := prefix(t, small(t, restored, nil), 1); n < batches {
		t.Errorf("%d batches, want %d", n, batches)
	}
}

// TestCopyStale: a file in the target that is not that of the checkpoint, as a
// crash may leave one, is copied again.
func TestCopyStale(t *testing.T) {
	t.Parallel()
	dir, b, _ := checkpoint(t)
	from, to := embedded.CheckpointDir(dir, b.ID), filepath.Join(t.TempDir(), "backup")
	ctx := &waning{Context: t.Context()}
	ctx.left.Store(20)
	if _, err := embedded.CopyCheckpoint(ctx, from, to); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"IDENTITY": "garbage", "FLOOR.tmp": "half"} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := embedded.CopyCheckpoint(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if _, err := embedded.RestoreBackup(t.Context(), to, restored, time.Now()); err != nil {
		t.Error(err)
	}
}

// TestCopyRefuses: a target that holds something else is left as it is.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	dir, b, _ := checkpoint(t)
	from := embedded.CheckpointDir(dir, b.ID)
	other, _ := backup(t)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]fault.Kind{
		other: fault.Exists, foreign: fault.Exists,
		filepath.Join(foreign, "file"): fault.Invalid,
	} {
		if _, err := embedded.CopyCheckpoint(t.Context(), from, to); fault.KindOf(err) != want {
			t.Errorf("%s: %v, want %v", to, err, want)
		}
	}
	if list, err := os.ReadDir(foreign); err != nil || len(list) != 1 {
		t.Errorf("left %v, %v", list, err)
	}
}

// damages are what can happen to a file of a backup.
func damages() map[string]func(file string, text []byte) error {
	return map[string]func(string, []byte) error{
		"removed": func(file string, _ []byte) error { return os.Remove(file) },
		"cut": func(file string, text []byte) error {
			return os.Truncate(file, int64(max(0, len(text)-1)))
		},
		"longer": func(file string, text []byte) error {
			return os.WriteFile(file, append(text, 0), 0o600)
		},
		"flipped": func(file string, text []byte) error {
			if len(text) == 0 {
				text = []byte{1}
			}
			text[len(text)/2] ^= 1
			return os.WriteFile(file, text, 0o600)
		},
	}
}

// TestDamagedBackup: a backup of which one file is damaged, missing or too many is
// refused by the name of that file.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	to, b := backup(t)
	names := []string{"BACKUP"}
	for _, f := range b.Files {
		names = append(names, f.Name)
	}
	for _, name := range names {
		file := filepath.Join(to, filepath.FromSlash(name))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, damage := range damages() {
			if what == "cut" && len(text) == 0 {
				continue
			}
			if err := damage(file, bytes.Clone(text)); err != nil {
				t.Fatal(err)
			}
			err := restoreInto(t, to)
			if err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
				t.Errorf("%s %s: %v", name, what, err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	more := filepath.Join(to, "data", "000999.sst")
	if err := os.WriteFile(more, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restoreInto(t, to); err == nil || !strings.Contains(err.Error(), more) {
		t.Errorf("one too many: %v", err)
	}
	if err := os.Remove(more); err != nil {
		t.Fatal(err)
	}
	if err := restoreInto(t, to); err != nil {
		t.Errorf("put right: %v", err)
	}
}

func restoreInto(t testing.TB, from string) error {
	t.Helper()
	_, err := embedded.RestoreBackup(t.Context(), from, filepath.Join(t.TempDir(), "to"),
		time.Now())
	return err
}

// TestCutBackup: a backup whose list of tables lost its end, under a manifest that was
// made to fit, is refused when it is opened: the floor in it says where it ended.
func TestCutBackup(t *testing.T) {
	t.Parallel()
	dir, b, _ := checkpoint(t)
	from := embedded.CheckpointDir(dir, b.ID)
	lists, err := filepath.Glob(filepath.Join(from, "data", "MANIFEST-*"))
	if err != nil || len(lists) != 1 {
		t.Fatal(lists, err)
	}
	info, err := os.Stat(lists[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(lists[0], info.Size()-40); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := embedded.CopyCheckpoint(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if _, err := embedded.RestoreBackup(t.Context(), to, restored, time.Now()); err != nil {
		t.Fatal(err)
	}
	e, err := embedded.Open(embedded.Config{Dir: restored})
	if err == nil {
		err = errors.Join(fmt.Errorf("a cut list is opened"), e.Close())
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), filepath.Join(restored, "data")) {
		t.Errorf("not named: %v", err)
	}
}
