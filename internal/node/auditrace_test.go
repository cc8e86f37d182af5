//go:build unix

package node

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	api "coffer/internal/aws/api/coffer"
)

// TestVerifyWhileServing: a head that the process signs after it made the copy tells of
// nothing that was cut off. The root key, which is read in between, comes from a pipe.
func TestVerifyWhileServing(t *testing.T) {
	t.Parallel()
	heads, change := withHeads(t)
	w := newWorld(t, change)
	pipe := filepath.Join(t.TempDir(), "root")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan *AuditReport, 1)
	go func() {
		r, err := VerifyAudit(t.Context(), AuditConfig{
			Data: w.cfg.Data, RootKey: pipe, Heads: heads})
		if err != nil {
			t.Error(err)
		}
		done <- r
		if f, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.Close() // nobody waits for a reader that never came
		}
	}()
	f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the reader
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := func() int64 {
		info, err := os.Stat(heads)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	reach := w.reach()
	if _, err := reach.DescribeStore(t.Context(), &api.DescribeStoreInput{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return size() > before })
	key, err := os.ReadFile(filepath.Join(w.cfg.Data, fileRootKey))
	if err == nil {
		_, err = f.Write(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if r := <-done; r == nil || !r.Whole() || !r.Live || r.Heads == 0 {
		t.Errorf("report %+v", r)
	}
}
