package embedded

import (
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
	floorMagic    = "cfloor1\n"
	floorHeader   = 8 + 8 + 2 + 2 // magic, sequence, flags, shards
	floorSlot     = 4096          // distance of the two slots
	flagBorn      = 1             // the data folder was made
	floorInterval = time.Second   // bounds what a power cut makes it forget
)

// A floor keeps the last acknowledged position of every shard in a file of its
// own, so that a log that lost its end is told from one that ended there. It
// is written after each sync without waiting and synced once a second, so it
// never says more than what is durable. Two slots take turns with the syncs:
// the one not written to was synced.
type floor struct {
	file   vfs.File
	path   string
	at     []store.Position // as last written
	born   bool
	seq    uint64 // of the last slot written
	slot   int64  // that the next write goes to
	synced bool

	wake chan struct{}
	stop chan struct{}
	wg   sync.WaitGroup
}

// openFloor reads the floor. Where there are no data yet it makes it.
func openFloor(fsys vfs.FS, path string, shards int, dataExist bool) (*floor, error) {
	f := &floor{path: path, at: make([]store.Position, shards)}
	text, err := readFile(fsys, path, 2*floorSlot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !f.load(text) {
		if dataExist {
			return nil, fmt.Errorf("%w: %s is missing or garbled beside existing data; "+
				"restore the directory from a backup", store.ErrDamaged, path)
		}
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
	f.seq, f.slot = 1, 1
	copy(text, f.encode())
	return writeFile(fsys, f.path, text)
}

// load takes the slot with the highest sequence and reports whether there is one.
func (f *floor) load(text []byte) bool {
	found := false
	for slot := int64(0); slot < 2; slot++ {
		part := text[min(len(text), int(slot*floorSlot)):min(len(text), int((slot+1)*floorSlot))]
		seq, born, at, ok := decodeSlot(part)
		if !ok || len(at) != len(f.at) || found && seq < f.seq {
			continue
		}
		found, f.seq, f.born, f.at = true, seq, born, at
		f.slot = 1 - slot
	}
	return found
}

// encode gives a slot: the header, a position per shard, a CRC-32C.
func (f *floor) encode() []byte {
	b := make([]byte, 0, floorHeader+16*len(f.at)+4)
	b = append(b, floorMagic...)
	b = binary.BigEndian.AppendUint64(b, f.seq)
	var flags uint16
	if f.born {
		flags |= flagBorn
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.at)))
	for _, pos := range f.at {
		b = appendPosition(b, pos)
	}
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func decodeSlot(b []byte) (seq uint64, born bool, at []store.Position, ok bool) {
	if len(b) < floorHeader || string(b[:8]) != floorMagic {
		return 0, false, nil, false
	}
	seq = binary.BigEndian.Uint64(b[8:])
	flags := binary.BigEndian.Uint16(b[16:])
	count := int(binary.BigEndian.Uint16(b[18:]))
	end := floorHeader + 16*count
	if count > maxShards || len(b) < end+4 ||
		binary.BigEndian.Uint32(b[end:]) != checksum(b[:end]) {
		return 0, false, nil, false
	}
	for rest := b[floorHeader:end]; len(rest) > 0; rest = rest[16:] {
		pos, _ := decodePosition(rest[:16])
		at = append(at, pos)
	}
	return seq, flags&flagBorn != 0, at, true
}

// begin notes that the data folder exists and stands at these positions.
func (f *floor) begin(at []store.Position) error {
	f.born = true
	if err := f.write(at); err != nil {
		return err
	}
	return f.sync()
}

// write puts the positions into the slot that was not synced last.
func (f *floor) write(at []store.Position) error {
	f.seq++
	f.at, f.synced = at, false
	if _, err := f.file.WriteAt(f.encode(), f.slot*floorSlot); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

// sync makes the slot durable and turns to the other one.
func (f *floor) sync() error {
	if f.synced {
		return nil
	}
	if err := f.file.SyncData(); err != nil {
		return fmt.Errorf("sync %s: %w", f.path, err)
	}
	f.synced, f.slot = true, 1-f.slot
	return nil
}

// run keeps the floor until close: it writes what durable gives after each
// note. The first error goes to fail.
func (f *floor) run(durable func() []store.Position, fail func(error)) {
	f.wake, f.stop = make(chan struct{}, 1), make(chan struct{})
	f.wg.Go(func() {
		tick := time.NewTicker(floorInterval)
		defer tick.Stop()
		for {
			var err error
			select {
			case <-f.wake:
				err = f.write(durable())
			case <-tick.C:
				err = f.sync()
			case <-f.stop:
				if err := errors.Join(f.write(durable()), f.sync()); err != nil {
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
