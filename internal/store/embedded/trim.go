package embedded

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// trim cuts the last log in data behind its last whole record.
//
// Pebble copies that log while it is written to. The copy can hold a block from
// before a write and the next one from after it, which looks like a log that was
// damaged in its middle; and it is as long as the file, whose rest is of an
// earlier log. What was acknowledged before the copying began was in the file by
// then, so it is in front of the cut.
func trim(fsys vfs.FS, data string) error {
	logs, err := wal.Scan(wal.Dir{FS: fsys, Dirname: data})
	if err != nil {
		return fmt.Errorf("list logs in %s: %w", data, err)
	}
	if len(logs) == 0 {
		return nil
	}
	last := logs[len(logs)-1]
	_, path := last.SegmentLocation(last.NumSegments() - 1)
	end, err := whole(last)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := cutFile(fsys, path, end); err != nil {
		return fmt.Errorf("cut %s: %w", path, err)
	}
	return nil
}

// whole gives the offset behind the last record that can be read.
func whole(log wal.LogicalLog) (int64, error) {
	r := log.OpenForRead()
	for {
		_, off, err := r.NextRecord()
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
			record.IsInvalidRecord(err):
			return off.Physical, r.Close()
		}
		return 0, errors.Join(err, r.Close())
	}
}

// cutFile replaces a file by its first bytes, durably.
func cutFile(fsys vfs.FS, path string, end int64) error {
	src, err := fsys.Open(path)
	if err != nil {
		return err
	}
	short := path + halfSuffix
	dst, err := fsys.Create(short, vfs.WriteCategoryUnspecified)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.CopyN(dst, src, end)
	if err == nil {
		err = dst.Sync()
	}
	if err := errors.Join(err, dst.Close(), src.Close()); err != nil {
		return err
	}
	return fsys.Rename(short, path)
}
