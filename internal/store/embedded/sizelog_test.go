package embedded_test

import (
	"testing"

	"coffer/internal/store/embedded"
	"coffer/internal/store/storetest"
)

// TestLogSize: the log of a small disk is flushed earlier than that of a large one, and
// the reserve has room for what a flush writes.
func TestLogSize(t *testing.T) {
	t.Parallel()
	const mib, gib = 1 << 20, 1 << 30
	for _, c := range []struct{ disk, given, want int64 }{
		{disk: 1 * gib, want: 32 * mib},
		{disk: 4 * gib, want: 64 * mib},
		{disk: 100 * gib / 7, want: 228 * mib}, // whole MiB
		{disk: 16 * gib, want: 256 * mib},
		{disk: 1 << 50, want: 256 * mib},
		{disk: 1 << 50, given: 3 * mib, want: 3 * mib},
		{disk: 16 * mib, want: 1 * mib}, // of which the reserve is a sixteenth
	} {
		disk := storetest.NewDisk()
		disk.Bound(c.disk)
		e, err := embedded.Open(embedded.Config{
			Dir: "/store", FS: disk, Shards: 4, FlushBytes: c.given, LowWaterBytes: 1,
			Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		taken := c.disk - disk.Free() // also by small files
		if taken < c.want || taken > c.want+mib {
			t.Errorf("of a disk of %d MiB %d bytes are taken, want %d", c.disk/mib, taken, c.want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
