package embedded

import (
	"bytes"
	"log/slog"
	"testing"

	"coffer/internal/store/storetest"
)

// TestQuietStarts: neither a first start nor one after a clean stop has anything to
// warn of.
func TestQuietStarts(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	for _, start := range []string{"first", "second"} {
		var log bytes.Buffer
		warnings := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})
		e, err := Open(Config{
			Dir: "/store", FS: disk, Shards: 4, Logger: slog.New(warnings),
			Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if log.Len() > 0 {
			t.Errorf("the %s start warns:\n%s", start, &log)
		}
	}
}
