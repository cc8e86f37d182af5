package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"coffer/internal/store"
)

const (
	backupVersion = 1        // of the manifest
	maxManifest   = 64 << 20 // bytes of a manifest
)

var (
	backupID  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	extraName = regexp.MustCompile(`^[A-Z]{1,32}$`)
	// fileName is the form of names in a backup: none leads out of it.
	fileName = regexp.MustCompile(`^(data/)?[A-Za-z0-9][A-Za-z0-9._-]{0,200}$`)
)

// Backup says what a checkpoint or a backup is. In a checkpoint it lists no
// files: nothing was read yet.
type Backup struct {
	ID        string    // 32 hexadecimal digits
	Version   string    // of the program that made it
	Created   time.Time // when the cut was made
	Identity  Identity  // of the store it was made of
	Positions []store.Position
	Files     []BackupFile // in the order of their names
}

// BackupFile is one file of a backup.
type BackupFile struct {
	Name   string // with forward slashes
	Size   int64
	SHA256 [sha256.Size]byte
}

// Size is the bytes of all files.
func (b *Backup) Size() (n int64) {
	for _, f := range b.Files {
		n += f.Size
	}
	return n
}

// encode gives lines of a word and its values, the last of which is a SHA-256
// over the lines before.
func (b *Backup) encode() []byte {
	id := &b.Identity
	text := fmt.Appendf(nil, "coffer-backup %d\nid %s\ncoffer %s\ncreated %s\ncluster %x\n"+
		"node %x\nincarnation %x\n", backupVersion, b.ID, b.Version,
		b.Created.Format(time.RFC3339Nano), id.Cluster, id.Node, id.Incarnation)
	for i, pos := range b.Positions {
		text = fmt.Appendf(text, "position %d %d %d\n", i, pos.Epoch, pos.Index)
	}
	for _, f := range b.Files {
		text = fmt.Appendf(text, "file %d %x %s\n", f.Size, f.SHA256, f.Name)
	}
	return resum(text)
}

// resum adds the last line.
func resum(text []byte) []byte {
	return fmt.Appendf(text, "sha256 %x\n", sha256.Sum256(text))
}

// parseBackup reads what encode gives, to the byte.
func parseBackup(text []byte) (*Backup, error) {
	damage := fmt.Errorf("%w: the manifest of the backup is not as it was written",
		store.ErrDamaged)
	at := strings.LastIndex(string(text), "sha256 ")
	if at < 0 || string(text[at:]) != fmt.Sprintf("sha256 %x\n", sha256.Sum256(text[:at])) {
		return nil, damage
	}
	lines := strings.Split(strings.TrimSuffix(string(text[:at]), "\n"), "\n")
	version, ok := strings.CutPrefix(lines[0], "coffer-backup ")
	if n, err := strconv.Atoi(version); ok && err == nil && n != backupVersion {
		return nil, fmt.Errorf("the backup has format %d, this program reads format %d; "+
			"restore it with the version that wrote it", n, backupVersion)
	}
	if len(lines) < 7 {
		return nil, damage
	}
	b := &Backup{}
	if err := b.parse(lines); err != nil || string(b.encode()) != string(text) {
		return nil, damage
	}
	return b, nil
}

// parse fills in the lines; that they are well formed and in order shows when
// they are encoded again.
func (b *Backup) parse(lines []string) (err error) {
	value := func(i int) string {
		_, v, _ := strings.Cut(lines[i], " ")
		return v
	}
	b.ID, b.Version = value(1), value(2)
	b.Created, err = time.Parse(time.RFC3339Nano, value(3))
	if err != nil || !backupID.MatchString(b.ID) {
		return errors.New("malformed")
	}
	id := &b.Identity
	for i, part := range [][]byte{id.Cluster[:], id.Node[:], id.Incarnation[:]} {
		if v := value(4 + i); len(v) != 2*len(part) {
			return errors.New("malformed")
		} else if _, err := hex.Decode(part, []byte(v)); err != nil {
			return err
		}
	}
	for i := range lines[7:] {
		if err := b.line(lines[7+i], value(7+i)); err != nil {
			return err
		}
	}
	if id.Shards = len(b.Positions); id.Shards < 1 || id.Shards > maxShards {
		return errors.New("malformed")
	}
	return nil
}

// line reads a position or a file.
func (b *Backup) line(line, value string) error {
	if strings.HasPrefix(line, "position ") {
		var shard int
		var pos store.Position
		if _, err := fmt.Sscanf(value, "%d %d %d", &shard, &pos.Epoch, &pos.Index); err != nil {
			return err
		}
		b.Positions = append(b.Positions, pos)
		return nil
	}
	parts := strings.SplitN(value, " ", 3)
	if len(parts) != 3 || !fileName.MatchString(parts[2]) || len(parts[1]) != 2*sha256.Size {
		return errors.New("malformed")
	}
	f := BackupFile{Name: parts[2]}
	if n := len(b.Files); n > 0 && b.Files[n-1].Name >= f.Name {
		return errors.New("out of order")
	}
	size, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || size < 0 {
		return errors.New("malformed")
	}
	f.Size = size
	if _, err := hex.Decode(f.SHA256[:], []byte(parts[1])); err != nil {
		return err
	}
	b.Files = append(b.Files, f)
	return nil
}
