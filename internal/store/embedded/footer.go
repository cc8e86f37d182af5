package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// The footer of a table in the version that the directory's format has. It is
// the one part of a table without a checksum, and Pebble believes it: a version
// that was changed makes it read blocks in another layout, out of its memory.
const (
	footerSize    = 53
	footerVersion = 41 // offset of it, 4 bytes, the low one first
	footerMagic   = "\xf0\x9f\xaa\xb3\xf0\x9f\xaa\xb3"
	footerCRC32C  = 1 // kind of checksum of the blocks, the first byte
	blockTrailer  = 5 // behind each block: compression, checksum
	tableVersion  = 5
)

var errFooter = errors.New("the footer is not as it was written")

// parseFooter checks the footer of a table of that size, every bit of it but those
// of the handle of the index, whose block has a checksum.
func parseFooter(b []byte, size int64) error {
	if len(b) != footerSize || b[0] != footerCRC32C || string(b[footerVersion+4:]) != footerMagic ||
		binary.LittleEndian.Uint32(b[footerVersion:]) != tableVersion {
		return errFooter
	}
	var at [4]uint64 // offset and length of the blocks of metadata and index
	rest := b[1:footerVersion]
	for i := range at {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > uint64(size) || n > 1 && rest[n-1] == 0 { // a longer form of the number
			return errFooter
		}
		at[i], rest = v, rest[n:]
	}
	for _, pad := range rest {
		if pad != 0 {
			return errFooter
		}
	}
	end := uint64(size) - footerSize
	if at[0]+at[1]+blockTrailer != end || at[2]+at[3]+blockTrailer > at[0] {
		return errFooter
	}
	return nil
}

// checkFooter reads the footer of a table.
func checkFooter(fsys vfs.FS, path string) error {
	f, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, min(footerSize, info.Size()))
	if _, err = f.ReadAt(b, info.Size()-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := parseFooter(b, info.Size()); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrDamaged, path, err)
	}
	return nil
}

// checkFooters checks the tables in use, before anything is read of them.
func (e *Engine) checkFooters(db *pebble.DB, data string) error {
	paths, err := e.tables(db, data)
	for _, path := range paths {
		if err == nil {
			err = checkFooter(e.cfg.FS, path)
		}
	}
	return err
}

// tables lists the tables in data that are in use.
func (e *Engine) tables(db *pebble.DB, data string) (paths []string, err error) {
	levels, err := db.SSTables()
	if err != nil {
		return nil, err
	}
	for _, level := range levels {
		for _, t := range level {
			paths = append(paths, e.cfg.FS.PathJoin(data, fmt.Sprintf("%s.sst", t.BackingSSTNum)))
		}
	}
	return paths, nil
}
