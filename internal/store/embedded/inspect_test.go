package embedded_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// inspect reads everything of a store and gives what was found damaged, the rows
// and the tables. Nothing may change.
func inspect(t *testing.T, disk *storetest.Disk) (damaged []string, rows int64, tables int) {
	t.Helper()
	disk.OnChange(func(c storetest.Change) error {
		t.Errorf("changed: %s %s", c.Op, c.Name)
		return nil
	})
	defer disk.OnChange(nil)
	i, err := embedded.Inspect(embedded.Config{Dir: "/store", FS: disk},
		func(file string, err error) { damaged = append(damaged, file+": "+err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	sum, err := i.CheckTables(context.Background())
	if err != nil {
		t.Error(err)
	}
	ids, _ := i.Shards()
	for _, id := range ids {
		snap := i.Snapshot(id)
		if _, _, err := snap.Get([]byte("key030")); err != nil {
			damaged = append(damaged, err.Error())
		}
		n, _, err := embedded.Walk(context.Background(), snap, nil)
		rows += n
		if err != nil {
			damaged = append(damaged, err.Error())
		}
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	return damaged, rows, sum.Files
}

// TestInspect reads a whole store, and one in which each file in turn is damaged
// in its middle: it is named when a start would refuse it or a read meet it.
func TestInspect(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	damaged, rows, tables := inspect(t, whole.Image(100, 0))
	if len(damaged) > 0 || rows != 3*damageBatches || tables == 0 {
		t.Errorf("%q, %d rows, %d tables", damaged, rows, tables)
	}
	named := 0
	for _, name := range everyFile(t, whole) {
		disk := whole.Image(100, 0)
		text := readFile(t, disk, name)
		at := len(text) / 2
		if strings.HasSuffix(name, ".log") {
			at = 20 // in its first record, what it held before is behind
		}
		if at >= len(text) || strings.Contains(name, "OPTIONS") {
			continue
		}
		text[at] ^= 1
		writeFile(t, disk, name, text)
		damaged, rows, _ := inspect(t, disk)
		if found(t, disk) == nil {
			continue // as it was not in use, or only its end
		}
		if !strings.Contains(strings.Join(damaged, "\n"), "/store") {
			t.Errorf("%s: the check finds %q", name, damaged)
		}
		if strings.HasSuffix(name, ".sst") && !strings.Contains(strings.Join(damaged, "\n"), name) {
			t.Errorf("%s is not named: %q", name, damaged)
		}
		if rows > 3*damageBatches {
			t.Errorf("%s: %d rows", name, rows)
		}
		named++
	}
	if named < 4 {
		t.Errorf("only %d files were damaged", named)
	}
}

// TestInspectInUse: the directory of a running engine is left alone, and no
// engine starts on one that is inspected.
func TestInspectInUse(t *testing.T) {
	t.Parallel()
	disk := filled(t, 64<<10)
	never := func(file string, err error) { t.Errorf("%s: %v", file, err) }
	e := start(t, disk)
	cfg := embedded.Config{Dir: "/store", FS: disk}
	if _, err := embedded.Inspect(cfg, never); !errors.Is(err, store.ErrInUse) {
		t.Errorf("beside a running engine: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := embedded.Inspect(cfg, never)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(disk, func(error) {}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("beside an inspection: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	cfg.Dir = "/nowhere"
	if _, err := embedded.Inspect(cfg, never); err == nil {
		t.Error("a directory that is not there was inspected")
	}
}
