package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// Record is what Scan shows. Payload is valid during the call.
type Record struct {
	Segment uint64
	Offset  uint32 // of the payload
	Payload []byte
}

// End is where a log ends, for Open.
type End struct {
	first uint64   // the segment from which on the log was read
	at    position // behind the last record; the segment before first when there is none
	group uint32   // where the last group begins
}

// Segment is the number of the last segment that holds a record; without any it is
// below the one that Scan began with.
func (e End) Segment() uint64 { return e.at.segment }

// Offset is that behind the last record.
func (e End) Offset() int64 { return e.at.end }

// Scan reads the log from a segment on, from the first one if that is 0, and gives
// the records to visit in their order; an error of visit ends it. It changes no
// byte. What a crash left of a group that was being written is passed over; what
// cannot come from a crash is store.ErrDamaged.
func Scan(cfg Config, from uint64, visit func(Record) error) (End, error) {
	cfg = cfg.withDefaults()
	from = max(from, 1)
	s := &scanner{cfg: cfg, key: newKey(cfg.ID), visit: visit}
	end := End{first: from, at: position{segment: from - 1}}
	last, err := s.last(from)
	if err != nil || last == 0 {
		return end, err
	}
	for n := from; n <= last; n++ {
		if end, err = s.segment(n, n == last, end); err != nil {
			return end, err
		}
	}
	return end, nil
}

// A scanner reads segments.
type scanner struct {
	cfg   Config
	key   key
	visit func(Record) error
	buf   []byte
}

func (s *scanner) path(segment uint64) string { return Path(s.cfg.FS, s.cfg.Dir, segment) }

func (s *scanner) damaged(segment uint64, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", store.ErrDamaged, s.path(segment), fmt.Sprintf(format, args...))
}

// last finds the last segment that holds a whole group, 0 when there is none. The
// files of later ones were made ahead, or hold what a crash left of their first group.
func (s *scanner) last(from uint64) (uint64, error) {
	numbers, err := list(s.cfg.FS, s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", s.cfg.Dir, err)
	}
	for _, n := range slices.Backward(numbers) {
		if n < from {
			return 0, nil
		}
		r, err := s.open(n)
		if err != nil {
			return 0, err
		}
		at, other, err := r.find(0)
		if err := errors.Join(err, r.file.Close()); err != nil {
			return 0, err
		}
		if other > n {
			return 0, s.damaged(n, "it holds segment %d", other)
		}
		if at >= 0 {
			return n, nil
		}
	}
	return 0, nil
}

// list gives the numbers of the segments that have files, in ascending order.
func list(fsys vfs.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		if n, ok := number(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// segment shows the records of a segment and gives its end. The one that follows
// says where it must be; the last one may end in a group that was torn.
func (s *scanner) segment(n uint64, last bool, end End) (End, error) {
	r, err := s.open(n)
	if errors.Is(err, fs.ErrNotExist) {
		return end, s.damaged(n, "it is missing before a later segment")
	}
	if err != nil {
		return end, err
	}
	end, err = s.groups(r, last, end)
	return end, errors.Join(err, r.file.Close())
}

func (s *scanner) groups(r *reader, last bool, end End) (End, error) {
	limit, err := s.limit(r.number, last)
	if err != nil {
		return end, err
	}
	for at := int64(0); at < limit; at = pages(end.at.end) {
		h, group, err := r.group(at)
		if err != nil {
			return end, err
		}
		if group == nil {
			return end, s.torn(r, at, last)
		}
		begins := at == 0 && r.number == end.first
		if int64(h.before) != end.at.end && !begins {
			return end, s.damaged(r.number,
				"the group at %d follows one that ended at %d, not at %d", at, h.before, end.at.end)
		}
		end.at = position{r.number, at + int64(len(group))}
		end.group = h.offset
		if err := s.records(h, group); err != nil {
			return end, err
		}
	}
	if end.at != (position{r.number, limit}) {
		return end, s.torn(r, end.at.end, last)
	}
	return end, nil
}

// limit is where a segment ends at the latest: the last one with its file.
func (s *scanner) limit(n uint64, last bool) (int64, error) {
	if last {
		return maxSegment, nil
	}
	r, err := s.open(n + 1)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, s.damaged(n+1, "it is missing before a later segment")
	}
	if err != nil {
		return 0, err
	}
	h, group, err := r.group(0)
	if err = errors.Join(err, r.file.Close()); err != nil {
		return 0, err
	}
	if group == nil {
		return 0, s.damaged(n+1, "its first group is not what was written")
	}
	return int64(h.before), nil
}

// torn is nil when what cannot be read as a group at this place may be one that was
// being written: at the very end of the log.
func (s *scanner) torn(r *reader, at int64, last bool) error {
	if !last {
		return s.damaged(r.number, "it ends at %d, which is too early", at)
	}
	later, _, err := r.find(at + 1)
	if err != nil {
		return err
	}
	if later >= 0 {
		return s.damaged(r.number, "the group at %d is not what was written", at)
	}
	return nil
}

// records shows the records of a group, which has its checksum.
func (s *scanner) records(h head, group []byte) error {
	for at := headSize; at < len(group); {
		n := -1
		if len(group)-at >= lengthSize {
			n = int(binary.BigEndian.Uint32(group[at:]))
		}
		at += lengthSize
		if n < 0 || n > len(group)-at {
			return s.damaged(h.segment, "the group at %d has records of wrong lengths", h.offset)
		}
		rec := Record{h.segment, h.offset + uint32(at), group[at : at+n : at+n]}
		if err := s.visit(rec); err != nil {
			return err
		}
		at += n
	}
	return nil
}
