package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	syncWrites = 9
	syncBytes  = 4096
	syncSlow   = 50 * time.Millisecond
	syncBroken = time.Second
	fewInodes  = 10_000
	// syncFast is what no disk needs less than: who answers sooner has not written.
	syncFast = 8 * time.Microsecond
)

// Disk is the file system of a data directory.
type Disk struct {
	// Free is what is left for the process, and LowWater from where on new messages are
	// refused; in bytes.
	Free, LowWater uint64
	// Inodes are how many files can still be made, of Files; 0 of 0: it has no such bound.
	Inodes, Files uint64
	// Type is the system's name of the file system; "": it is not known. Options are those
	// that it is mounted with.
	Type    string
	Options []string
	// Syncs are how long small synced writes took.
	Syncs []time.Duration
}

// Check looks at the disk.
func (d Disk) Check(r *Report) {
	const space = "disk.space"
	switch {
	case d.Free < d.LowWater:
		r.Find(space, Error, "free space on the disk, or make it larger: new messages are refused",
			"%s are free, less than the low-water mark of %s", size(d.Free), size(d.LowWater))
	case d.Free/2 < d.LowWater:
		r.Find(space, Warning, "make room before new messages are refused",
			"%s are free; at %s new messages are refused", size(d.Free), size(d.LowWater))
	default:
		r.Look(space)
	}
	const inodes = "disk.inodes"
	if r.Look(inodes); d.Files > 0 && d.Inodes < fewInodes {
		r.Find(inodes, Warning, "remove files that others left there, or make the file system "+
			"anew with more inodes", "%d more files can be made", d.Inodes)
	}
	d.fileSystem(r)
	d.sync(r)
}

// volatile are file systems that keep nothing, remote those of other machines.
var (
	volatile = []string{"tmpfs", "ramfs"}
	lying    = []string{"nobarrier", "barrier=0", "barrier=none"} // options that let syncs lie
	remote   = []string{"nfs", "cifs", "smb2", "9p", "fuse", "ceph", "afs"}
)

func (d Disk) fileSystem(r *Report) {
	const id = "disk.filesystem"
	switch {
	case d.Type == "":
		r.Skip(id, "the system does not name the file system")
	case slices.Contains(volatile, d.Type):
		r.Find(id, Error, "move the data directory to a disk",
			"the file system is %s: everything is lost when the machine stops", d.Type)
	case d.Type == "overlay":
		r.Find(id, Warning, "mount a volume at the data directory",
			"the file system is overlay, that of a container: it goes with the container")
	case slices.Contains(remote, d.Type):
		r.Find(id, Warning, "use a local disk, or a block device of the network",
			"the file system is %s: locks and syncs are not those of a disk", d.Type)
	default:
		r.Look(id)
	}
	const options = "disk.options"
	r.Look(options)
	for _, o := range d.Options {
		if slices.Contains(lying, o) {
			r.Find(options, Error, "mount it without", "the file system is mounted with %s: "+
				"a loss of power may lose what was confirmed", o)
		}
	}
}

func (d Disk) sync(r *Report) {
	const id = "disk.sync"
	if len(d.Syncs) == 0 {
		r.Skip(id, "nothing could be written")
		return
	}
	took := slices.Clone(d.Syncs)
	slices.Sort(took)
	median := took[len(took)/2]
	switch {
	case median >= syncBroken:
		r.Find(id, Error, "find what keeps the disk busy, or replace it",
			"a synced write takes %v", median)
	case median >= syncSlow:
		r.Find(id, Warning, "every confirmed message waits that long: use a faster disk",
			"a synced write takes %v", median)
	case median < syncFast && !slices.Contains(volatile, d.Type):
		r.Find(id, Warning, "make sure that syncs reach the disk: a loss of power may lose what "+
			"was confirmed", "a synced write takes %v, which no disk does", median)
	default:
		r.Look(id)
	}
}

// MeasureSync writes a scratch file into dir, syncing each piece, and removes it. It takes
// no longer than a second more than the last piece.
func MeasureSync(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	piece := make([]byte, syncBytes)
	for begin := time.Now(); len(took) < syncWrites && time.Since(begin) < time.Second; {
		at := time.Now()
		if _, err := f.Write(piece); err != nil {
			return took, err
		}
		if err := f.Sync(); err != nil {
			return took, err
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}

// size writes bytes for people.
func size(n uint64) string {
	for _, u := range [...]struct {
		name  string
		bytes uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
