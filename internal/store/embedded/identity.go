package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// maxIdentity bounds the bytes of the identity file.
const maxIdentity = 4096

// defaultShards is what a first start without a wish makes: control, eight for
// queues, events.
const defaultShards = 10

// Identity tells one store from all others. It is made at the first start and
// never changes.
type Identity struct {
	Cluster     [16]byte // what the store belongs to; random
	Node        [16]byte // the member of the cluster; random
	Incarnation [16]byte // this directory of the member; random
	Shards      int
}

// identify takes the identity that gate read, or makes one where there are no
// data.
func (e *Engine) identify(dataExist bool) error {
	path := e.path(identityName)
	if !e.stored {
		if dataExist {
			return fmt.Errorf("%w: %s is missing beside existing data; restore it from a backup",
				store.ErrDamaged, path)
		}
		return e.beget(path)
	}
	if want := e.cfg.Shards; want != 0 && want != e.identity.Shards {
		return fmt.Errorf("%s has %d shards, fixed at its first start; %d were asked for",
			e.cfg.Dir, e.identity.Shards, want)
	}
	return nil
}

// beget makes an identity and writes it.
func (e *Engine) beget(path string) error {
	id := Identity{Shards: e.cfg.Shards}
	if id.Shards == 0 {
		id.Shards = defaultShards
	}
	for _, part := range [][]byte{id.Cluster[:], id.Node[:], id.Incarnation[:]} {
		rand.Read(part) // never fails
	}
	e.label = label{Identity: id, format: Format, writer: e.cfg.Writer}
	if err := writeFile(e.cfg.FS, path, e.label.encode()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	e.identity = id
	return nil
}

// A label is what the identity file says.
type label struct {
	Identity
	format    int    // of everything in the directory
	writer    string // version of the program that wrote the file; from format 2
	upgrading int    // the format that the data may still have in part; 0 = none
}

// encode gives lines of a name and a value, the last of which is a CRC-32C over
// the lines before.
func (l *label) encode() []byte {
	text := fmt.Appendf(nil, "coffer-store %d\ncluster %x\nnode %x\nincarnation %x\nshards %d\n",
		l.format, l.Cluster, l.Node, l.Incarnation, l.Shards)
	if l.format > 1 {
		text = fmt.Appendf(text, "writer %s\n", l.writer)
	}
	if l.upgrading != 0 {
		text = fmt.Appendf(text, "upgrading %d\n", l.upgrading)
	}
	return fmt.Appendf(text, "crc32c %08x\n", checksum(text))
}

// parseLabel reads what encode gives, to the byte, in the formats from 1 to
// newest. A file of a later format is told from a damaged one by its checksum,
// which every format keeps last.
func parseLabel(text []byte, newest int) (label, error) {
	var l label
	damaged := fmt.Errorf("%w: the checksum is wrong; restore the file from a backup",
		store.ErrDamaged)
	body, sum, ok := strings.Cut(string(text), "crc32c ")
	if !ok || sum != fmt.Sprintf("%08x\n", checksum([]byte(body))) {
		return l, damaged
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	var err error
	l.format, err = strconv.Atoi(strings.TrimPrefix(lines[0], "coffer-store "))
	if err != nil || l.format < 1 {
		return l, damaged
	}
	l.writer = value(lines, "writer ")
	if l.format > newest {
		return l, newer(l, newest)
	}
	if len(lines) < 5 {
		return l, damaged
	}
	for i, part := range [][]byte{l.Cluster[:], l.Node[:], l.Incarnation[:]} {
		_, digits, _ := strings.Cut(lines[i+1], " ")
		if len(digits) != 2*len(part) {
			return l, damaged
		}
		if _, err := hex.Decode(part, []byte(digits)); err != nil {
			return l, damaged
		}
	}
	l.Shards, err = strconv.Atoi(strings.TrimPrefix(lines[4], "shards "))
	if from := value(lines, "upgrading "); err == nil && from != "" {
		l.upgrading, err = strconv.Atoi(from)
	}
	if err != nil || l.Shards < 1 || l.Shards > maxShards ||
		l.upgrading < 0 || l.upgrading >= l.format || string(l.encode()) != string(text) {
		return l, damaged
	}
	return l, nil
}

// value gives the rest of the line that begins with name.
func value(lines []string, name string) string {
	for _, line := range lines {
		if v, ok := strings.CutPrefix(line, name); ok {
			return v
		}
	}
	return ""
}

// checksum is the CRC-32C of all parts together.
func checksum(parts ...[]byte) (sum uint32) {
	for _, part := range parts {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), part)
	}
	return sum
}

// readFile reads a whole file of at most limit bytes.
func readFile(fsys vfs.FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	return text, errors.Join(err, f.Close())
}

// writeFile writes a file that is there completely or not at all.
func writeFile(fsys vfs.FS, path string, text []byte) error {
	temporary := path + ".tmp"
	f, err := fsys.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(fsys, fsys.PathDir(path))
}
