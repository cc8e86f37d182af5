package storetest_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// lying is a file system whose syncs of logs do nothing.
type lying struct{ vfs.FS }

type lyingFile struct{ vfs.File }

func (f lyingFile) Sync() error     { return nil }
func (f lyingFile) SyncData() error { return nil }

func (l lying) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	f, err := l.FS.OpenReadWrite(name, c, opts...)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return lyingFile{f}, nil
}

// deaf is a file system that hides the errors of syncs of logs.
type deaf struct{ vfs.FS }

type deafFile struct{ vfs.File }

func (f deafFile) Sync() error     { _ = f.File.Sync(); return nil }
func (f deafFile) SyncData() error { return f.Sync() }

func (d deaf) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return deafFile{f}, nil
}

func openOn(fs vfs.FS, fatal func(error)) (store.Engine, error) {
	return embedded.Open(embedded.Config{
		Dir: "/store", FS: fs, Shards: 3,
		CacheBytes: 1 << 20, FlushBytes: 32 << 10, Fatal: fatal,
	})
}

// TestSuiteFindsLostWrites runs the crash and fault suites on an engine that
// does not sync its log, or does not see that this failed.
func TestSuiteFindsLostWrites(t *testing.T) {
	t.Parallel()
	log := record(t, func(t testing.TB) {
		storetest.RunCrash(t, 7, func(fs vfs.FS, fatal func(error)) (store.Engine, error) {
			return openOn(lying{fs}, fatal)
		})
	})
	if len(log) == 0 {
		t.Error("crashes of a disk that does not sync found nothing")
	}
	log = record(t, func(t testing.TB) {
		storetest.RunFaults(t, 3, func(fs vfs.FS, fatal func(error)) (store.Engine, error) {
			return openOn(deaf{fs}, fatal)
		})
	})
	if len(log) == 0 {
		t.Error("failures of a disk that nobody sees found nothing")
	}
}
