package backup

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkBackup backs up 1 GiB of messages while one publisher goes on, and
// tells how fast that one was before and meanwhile.
func BenchmarkBackup(b *testing.B) {
	dir, binary := b.TempDir(), build(b)
	live := serve(b, binary, path(dir, "live"))
	const size = 16 << 10
	l := startLoad(live, "kept", size, false)
	l.reach(1 << 30 / size)
	begin, had := time.Now(), l.confirmed.Load()
	l.reach(had + 64<<20/size)
	alone := float64(l.confirmed.Load()-had) / time.Since(begin).Seconds()
	var took time.Duration
	var meanwhile uint64
	var bytes int64
	n := 0
	for b.Loop() {
		to := path(dir, "backup", n)
		n++
		had, begin := l.confirmed.Load(), time.Now()
		run(b, 0, binary, "backup", "--data", live.data, "--to", to)
		took += time.Since(begin)
		meanwhile += l.confirmed.Load() - had
		bytes += sizeOf(b, to)
	}
	l.end()
	b.ReportMetric(float64(bytes)/float64(n)/(1<<20), "MiB/backup")
	b.ReportMetric(alone*size/(1<<20), "MiB/s-before")
	b.ReportMetric(float64(meanwhile)/took.Seconds()*size/(1<<20), "MiB/s-meanwhile")
}

func sizeOf(b *testing.B, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
