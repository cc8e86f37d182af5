package seglog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The bytes of a group: a head, then for each record its length and its payload,
// then zeros up to a multiple of a page, where the next group may begin.
const (
	page       = 4096
	magic      = "coflog1\n"
	headSize   = 32
	lengthSize = 4
	suffix     = ".log"
)

// head begins a group. That it was written says that all before it was durable.
type head struct {
	segment uint64
	offset  uint32 // of the head in the segment
	before  uint32 // where the group before ended, in the segment before if offset is 0
	length  uint32 // bytes of records
}

// key is the state of CRC-32C behind the ID of a log.
type key struct {
	table *crc32.Table
	state uint32
}

func newKey(id [16]byte) key {
	table := crc32.MakeTable(crc32.Castagnoli)
	return key{table, crc32.Checksum(id[:], table)}
}

// seal puts the head into the beginning of a group that is otherwise complete.
func (k key) seal(h head, group []byte) {
	copy(group, magic)
	binary.BigEndian.PutUint64(group[8:], h.segment)
	binary.BigEndian.PutUint32(group[16:], h.offset)
	binary.BigEndian.PutUint32(group[20:], h.before)
	binary.BigEndian.PutUint32(group[24:], h.length)
	binary.BigEndian.PutUint32(group[28:], k.sum(group[:headSize+int(h.length)]))
}

// sum is the checksum of a group, which leaves itself out.
func (k key) sum(group []byte) uint32 {
	return crc32.Update(crc32.Update(k.state, k.table, group[:28]), k.table, group[headSize:])
}

// decodeHead reads a head without checking the group.
func decodeHead(b []byte) (h head, ok bool) {
	if len(b) < headSize || string(b[:len(magic)]) != magic {
		return h, false
	}
	h.segment = binary.BigEndian.Uint64(b[8:])
	h.offset = binary.BigEndian.Uint32(b[16:])
	h.before = binary.BigEndian.Uint32(b[20:])
	h.length = binary.BigEndian.Uint32(b[24:])
	return h, true
}

// whole reports whether b begins with a group that has its checksum; h is its head.
func (k key) whole(h head, b []byte) bool {
	n := headSize + int(h.length)
	return n <= len(b) && binary.BigEndian.Uint32(b[28:]) == k.sum(b[:n])
}

// pages rounds up to whole pages.
func pages(n int64) int64 { return (n + page - 1) &^ (page - 1) }

// Path is the name of the file of a segment.
func Path(fs vfs.FS, dir string, segment uint64) string {
	return fs.PathJoin(dir, fmt.Sprintf("%016x%s", segment, suffix))
}

// number reads the name of a file; ok is false for other files.
func number(name string) (segment uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return n, err == nil && fmt.Sprintf("%016x", n) == digits
}
