package story

import (
	"path/filepath"
	"testing"

	"coffer/test/story/kit"
)

// BenchmarkFirstStart is the time from the start of the process on a new
// directory until its endpoints are written.
func BenchmarkFirstStart(b *testing.B) {
	total := 0.0
	for b.Loop() {
		s := kit.Start(b, kit.Config{Binary: binary, Data: filepath.Join(b.TempDir(), "data")})
		total += s.Started.Seconds()
		s.Stop()
	}
	b.ReportMetric(total*1000/float64(b.N), "ms/start")
}

// BenchmarkLaterStart is the same on a directory whose queues are empty.
func BenchmarkLaterStart(b *testing.B) {
	s := kit.Start(b, kit.Config{Binary: binary})
	total := 0.0
	for b.Loop() {
		s.Stop()
		s.Restart()
		total += s.Started.Seconds()
	}
	b.ReportMetric(total*1000/float64(b.N), "ms/start")
}
