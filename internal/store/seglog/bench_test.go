package seglog_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store/seglog"
)

// BenchmarkAppend appends batches of messages of 1.1 KiB on the disk of the machine
// and waits for each some batches later, as shards do; a segment is released when
// two newer ones are full.
func BenchmarkAppend(b *testing.B) {
	for _, messages := range []int{1, 10, 100} {
		for _, ahead := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("messages=%d/flight=%d", messages, ahead), func(b *testing.B) {
				benchAppend(b, messages, ahead)
			})
		}
	}
}

func benchAppend(b *testing.B, messages, ahead int) {
	cfg := seglog.Config{FS: vfs.Default, Dir: b.TempDir(), Fail: func(err error) { b.Error(err) }}
	l, err := seglog.Open(cfg, seglog.End{})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]byte, messages*1126)
	refs := make([]seglog.Ref, ahead)
	n := 0
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		at := &refs[n%ahead]
		if n >= ahead {
			if err := l.Wait(*at); err != nil {
				b.Fatal(err)
			}
		}
		*at, err = l.Append(len(batch), func(dst []byte) { copy(dst, batch) })
		if err != nil {
			b.Fatal(err)
		}
		l.Release(at.Segment - min(at.Segment, 2))
		n++
	}
	b.StopTimer()
	b.ReportMetric(float64(n*messages)/b.Elapsed().Seconds(), "messages/s")
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
