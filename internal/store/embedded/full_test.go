package embedded_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// TestFullDisk starts on a disk that is full from the n-th change on: the start
// says so, and nothing speaks of damage or shows a stack.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	full := 0
	for n := 1; ; n++ {
		for name, disk := range map[string]*storetest.Disk{
			"first": storetest.NewDisk(), "further": whole.Image(100, 0),
		} {
			struck := false
			disk.OnChange(func(c storetest.Change) error {
				if c.N < n || c.Op == "remove" {
					return nil
				}
				struck = true
				return syscall.ENOSPC
			})
			var log bytes.Buffer
			e, err := embedded.Open(embedded.Config{
				Dir: "/store", FS: disk, Shards: 4, FlushBytes: 64 << 10,
				Logger: slog.New(slog.NewTextHandler(&log, nil)), Fatal: func(error) {},
			})
			if err == nil {
				e.Close()
				continue // the next changes may come from the background
			}
			if full++; !struck || !errors.Is(err, syscall.ENOSPC) ||
				errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s start, full at change %d: %v", name, n, err)
			}
			if s := log.String(); strings.Contains(s, "damage") || strings.Contains(s, ".go:") ||
				strings.Contains(s, "magic") || strings.Contains(s, `\n`) {
				t.Errorf("%s start, full at change %d: logged %s", name, n, s)
			}
		}
		if n == 60 {
			break
		}
	}
	if full < 40 {
		t.Errorf("only %d starts met the full disk", full)
	}
}

// TestDamageLog: damage that is real is said in one line, by an error or the log.
func TestDamageLog(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	cried := 0
	for _, name := range everyFile(t, whole) {
		disk := whole.Image(100, 0)
		text := readFile(t, disk, name)
		if !strings.HasSuffix(name, ".sst") || len(text) == 0 {
			continue
		}
		text[len(text)-1] ^= 1
		writeFile(t, disk, name, text)
		var log bytes.Buffer
		e, err := embedded.Open(embedded.Config{
			Dir: "/store", FS: disk, Shards: 4,
			Logger: slog.New(slog.NewTextHandler(&log, nil)), Fatal: func(error) {},
		})
		said := log.String()
		if err == nil {
			e.Close()
		} else if errors.Is(err, store.ErrDamaged) {
			said += "stored file is damaged: " + err.Error()
		}
		if strings.Contains(said, ".go:") || strings.Contains(said, `\n`) {
			t.Errorf("%s: said %s", name, said)
		} else if strings.Contains(said, "stored file is damaged") {
			cried++
		}
	}
	if cried == 0 {
		t.Error("no damage was told")
	}
}

// TestModes: every file of a store is for its owner alone.
func TestModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	e, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		files++
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}
