package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

const (
	floorMagic    = "cfloor"
	floorHeader   = 8 + 8 + 2 + 2 // magic and version, sequence, flags, shards
	floorSlot     = 4096          // distance of the two slots
	flagBorn      = 1             // the data folder was made
	flagClean     = 2             // written by a stop: the shards end exactly here
	floorInterval = time.Second   // bounds what a power cut makes it forget
)

// A floor keeps the last acknowledged position of every shard in a file of its
// own, so that a log that lost its end is told from one that ended there. It
// is written after each sync without waiting and synced once a second, so it
// never says more than what is durable. Two slots take turns with the syncs:
// the one not written to was synced.
type floor struct {
	file vfs.File
	path string

	garbled bool // one slot holds no floor, as after a crash in its write

	mu sync.Mutex // guards what follows once the floor runs
	slot
	next   int64 // the place that the next write goes to
	synced bool

	durable func() []store.Position // as they are now

	wake chan struct{}
	stop chan struct{}
	wg   sync.WaitGroup
}

// A slot is what a write of the floor says.
type slot struct {
	version byte   // of its rules: 1, or 2 with those of [floor.contradicts]
	seq     uint64 // one more with every write
	flags   uint16
	at      []store.Position // by shard
}

func (s *slot) born() bool { return s.flags&flagBorn != 0 }

// openFloor reads the floor. Where there are no data yet it makes it.
func openFloor(
	fsys vfs.FS, path string, version byte, shards int, dataExist bool,
) (*floor, error) {
	f := &floor{path: path}
	text, err := readFile(fsys, path, 2*floorSlot+1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !f.load(text, shards) {
		if dataExist {
			return nil, fmt.Errorf("%w: %s is missing or garbled beside existing data; "+
				"restore the directory from a backup", store.ErrDamaged, path)
		}
		f.version, f.at = version, make([]store.Position, shards)
		if err := f.make(fsys); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
	}
	f.file, err = fsys.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return f, nil
}

// make writes a file of two slots, the first of which says that nothing was
// acknowledged, at its full length, so that later writes change no metadata.
func (f *floor) make(fsys vfs.FS) error {
	text := make([]byte, 2*floorSlot)
	f.seq, f.next, f.garbled = 1, 1, false
	copy(text, f.encode())
	return writeFile(fsys, f.path, text)
}

// load takes the slot with the highest sequence and reports whether there is one.
func (f *floor) load(text []byte, shards int) bool {
	found := false
	for place := range int64(2) {
		begin := min(len(text), int(place*floorSlot))
		part := text[begin:min(len(text), begin+floorSlot)]
		s, ok := decodeSlot(part)
		if !ok || len(s.at) != shards {
			empty := len(part) == floorSlot && bytes.Count(part, []byte{0}) == floorSlot
			f.garbled = f.garbled || !empty
			continue
		}
		if !found || s.seq > f.seq {
			found, f.slot, f.next = true, s, 1-place
		}
	}
	f.garbled = f.garbled || len(text) != 2*floorSlot
	return found
}

// contradicts gives the reason why a floor of version 2 does not belong to data
// in which the shards end at these positions, or "". Such a floor is on the disk
// before and after each beginning of an ownership, before the first batch after a
// start, and at the end of a stop, twice. So what is behind it by an epoch and a
// batch, or says that it was the end, is an old copy.
func (f *floor) contradicts(at []store.Position) string {
	if f.version < 2 {
		return ""
	}
	clean := f.flags&flagClean != 0
	if clean && f.garbled {
		return "one of its two slots is garbled, which no crash explains after a clean stop"
	}
	for i, pos := range at {
		began := store.Position{Epoch: f.at[i].Epoch + 1, Index: f.at[i].Index}
		if clean && pos != f.at[i] || pos.Epoch > f.at[i].Epoch && pos != began {
			return fmt.Sprintf("shard %d ends at %v, but the file is from when it ended at %v: "+
				"it is an old copy", i, pos, f.at[i])
		}
	}
	return ""
}

// encode gives a slot: the header, a position per shard, a CRC-32C.
func (s *slot) encode() []byte {
	b := make([]byte, 0, floorHeader+16*len(s.at)+4)
	b = append(b, floorMagic...)
	b = append(b, '0'+s.version, '\n')
	b = binary.BigEndian.AppendUint64(b, s.seq)
	b = binary.BigEndian.AppendUint16(b, s.flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.at)))
	for _, pos := range s.at {
		b = appendPosition(b, pos)
	}
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func decodeSlot(b []byte) (s slot, ok bool) {
	if len(b) < floorHeader || string(b[:6]) != floorMagic || b[7] != '\n' {
		return s, false
	}
	s.version = b[6] - '0'
	s.seq = binary.BigEndian.Uint64(b[8:])
	s.flags = binary.BigEndian.Uint16(b[16:])
	count := int(binary.BigEndian.Uint16(b[18:]))
	end := floorHeader + 16*count
	if s.version != 1 && s.version != 2 || count > maxShards || len(b) < end+4 ||
		binary.BigEndian.Uint32(b[end:]) != checksum(b[:end]) {
		return s, false
	}
	for rest := b[floorHeader:end]; len(rest) > 0; rest = rest[16:] {
		pos, _ := decodePosition(rest[:16])
		s.at = append(s.at, pos)
	}
	return s, true
}

// begin notes that the data folder exists and stands at these positions, in the
// version of the rules that this start keeps.
func (f *floor) begin(version byte, at []store.Position) error {
	f.version = version
	f.flags = flagBorn
	f.durable = func() []store.Position { return at }
	return f.keep()
}

// keep makes the present positions durable.
func (f *floor) keep() error {
	if err := f.write(); err != nil {
		return err
	}
	return f.sync()
}

// write puts the present positions into the slot that was not synced last. They
// are asked for under the lock, so that no write takes back what one before it
// said.
func (f *floor) write() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq++
	f.at, f.synced = f.durable(), false
	if _, err := f.file.WriteAt(f.encode(), f.next*floorSlot); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// sync makes the slot durable and turns to the other one.
func (f *floor) sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.synced {
		return nil
	}
	if err := f.file.SyncData(); err != nil {
		return fmt.Errorf("sync %s: %w", f.path, err)
	}
	f.synced, f.next = true, 1-f.next
	return nil
}

// finish keeps the floor in both slots, the second with the mark of a clean stop.
func (f *floor) finish() error {
	if err := f.keep(); err != nil {
		return err
	}
	if f.version > 1 {
		f.flags |= flagClean
	}
	return f.keep()
}

// run keeps the floor until close: it writes what durable gives after each
// note. The first error goes to fail.
func (f *floor) run(durable func() []store.Position, fail func(error)) {
	f.durable = durable
	f.wake, f.stop = make(chan struct{}, 1), make(chan struct{})
	f.wg.Go(func() {
		tick := time.NewTicker(floorInterval)
		defer tick.Stop()
		for {
			var err error
			select {
			case <-f.wake:
				err = f.write()
			case <-tick.C:
				err = f.sync()
			case <-f.stop:
				if err := f.finish(); err != nil {
					fail(err)
				}
				return
			}
			if err != nil {
				fail(err)
				return
			}
		}
	})
}

// note says that a position became durable; it never waits.
func (f *floor) note() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// close writes and syncs the floor a last time.
func (f *floor) close() error {
	if f.stop != nil {
		close(f.stop)
		f.wg.Wait()
	}
	return f.file.Close()
}
