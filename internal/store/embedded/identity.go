package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/store"
)

// formatVersion is the version of everything in the directory.
const formatVersion = 1

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

// identify reads the identity, or makes it where there are no data.
func (e *Engine) identify(dataExist bool) error {
	path := e.path(identityName)
	text, err := readFile(e.cfg.FS, path, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		if dataExist {
			return fmt.Errorf("%w: %s is missing beside existing data; restore it from a backup",
				store.ErrDamaged, path)
		}
		return e.beget(path)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if e.identity, err = parseIdentity(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
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
	if err := writeFile(e.cfg.FS, path, id.encode()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	e.identity = id
	return nil
}

// encode gives lines of a name and a value, the last of which is a CRC-32C over
// the lines before.
func (id Identity) encode() []byte {
	text := fmt.Sprintf("coffer-store %d\ncluster %x\nnode %x\nincarnation %x\nshards %d\n",
		formatVersion, id.Cluster, id.Node, id.Incarnation, id.Shards)
	return fmt.Appendf(nil, "%scrc32c %08x\n", text, checksum([]byte(text)))
}

// parseIdentity reads what encode gives, to the byte. A file of another version
// is told from a damaged one by its checksum, which every version keeps last.
func parseIdentity(text []byte) (Identity, error) {
	var id Identity
	damaged := fmt.Errorf("%w: the checksum is wrong; restore the file from a backup",
		store.ErrDamaged)
	body, sum, ok := strings.Cut(string(text), "crc32c ")
	if !ok || sum != fmt.Sprintf("%08x\n", checksum([]byte(body))) {
		return id, damaged
	}
	lines := strings.Split(body, "\n")
	version, err := strconv.Atoi(strings.TrimPrefix(lines[0], "coffer-store "))
	if err != nil {
		return id, damaged
	}
	if version != formatVersion {
		return id, fmt.Errorf("the store has format %d, this program reads format %d; "+
			"run the version that wrote it", version, formatVersion)
	}
	if len(lines) != 6 {
		return id, damaged
	}
	for i, part := range [][]byte{id.Cluster[:], id.Node[:], id.Incarnation[:]} {
		_, value, _ := strings.Cut(lines[i+1], " ")
		if len(value) != 2*len(part) {
			return id, damaged
		}
		if _, err := hex.Decode(part, []byte(value)); err != nil {
			return id, damaged
		}
	}
	id.Shards, err = strconv.Atoi(strings.TrimPrefix(lines[4], "shards "))
	if err != nil || id.Shards < 1 || id.Shards > maxShards || string(id.encode()) != string(text) {
		return id, damaged
	}
	return id, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

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
