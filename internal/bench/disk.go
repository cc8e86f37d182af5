package bench

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"
)

// DiskRate is what the disk alone takes: appends of one batch, each synced.
type DiskRate struct {
	Batch int     `json:"batchOctets"`
	Syncs float64 `json:"syncsPerSecond"`
	Bytes float64 `json:"octetsPerSecond"`
}

// Disk appends to a new file in dir for a while with each size of a batch, and removes
// it: what a broker could do at best that syncs as often.
func Disk(dir string, batches []int, each time.Duration) ([]DiskRate, error) {
	var list []DiskRate
	for _, size := range batches {
		r, err := appendSynced(dir, size, each)
		if err != nil {
			return nil, fmt.Errorf("append batches of %d octets: %w", size, err)
		}
		list = append(list, r)
	}
	return list, nil
}

func appendSynced(dir string, size int, each time.Duration) (r DiskRate, err error) {
	f, err := os.CreateTemp(dir, "coffer-bench-*")
	if err != nil {
		return r, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	batch := make([]byte, size)
	rand.Read(batch) // it never fails
	begin, n := time.Now(), 0
	for time.Since(begin) < each || n == 0 {
		if _, err := f.Write(batch); err != nil {
			return r, err
		}
		if err := f.Sync(); err != nil {
			return r, err
		}
		n++
	}
	per := float64(n) / time.Since(begin).Seconds()
	return DiskRate{Batch: size, Syncs: per, Bytes: per * float64(size)}, nil
}
