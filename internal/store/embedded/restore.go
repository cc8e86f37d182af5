package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
	"coffer/internal/store"
)

// restoredName is the file of a store that was restored: of what, and when.
const restoredName = "RESTORED"

// Restored says from what a store was restored.
type Restored struct {
	Backup      string    // its id
	Created     time.Time // when the backup's cut was made
	Incarnation [16]byte  // of the store that the backup was made of
	At          time.Time // when it was restored
}

// RestoreBackup makes a store in the directory to, which must be missing, of the
// backup in from. Every file is checked against the manifest; one that is
// damaged, missing or too many is refused by its name, with kind fault.Invalid.
// The store gets an incarnation of its own: it is told apart from the one that
// the backup was made of. After an error, to is garbage, to be removed.
func RestoreBackup(ctx context.Context, from, to string, now time.Time) (*Backup, error) {
	b, err := ReadBackup(from)
	if err != nil {
		return nil, err
	}
	if err := extra(from, b); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(to, dataName), 0o700); err != nil {
		return nil, err
	}
	for _, f := range b.Files {
		src := filepath.Join(from, filepath.FromSlash(f.Name))
		sum, size, err := copyFile(ctx, src, filepath.Join(to, filepath.FromSlash(f.Name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fault.New(fault.Invalid, "%s is missing", src)
		case err != nil:
			return nil, fmt.Errorf("copy %s: %w", src, err)
		case sum != f.SHA256 || size != f.Size:
			return nil, fault.New(fault.Invalid, "%s is damaged: it is not what was backed up", src)
		}
	}
	if err := rebirth(b, from, to, now); err != nil {
		return nil, err
	}
	for _, dir := range []string{filepath.Join(to, dataName), to} {
		if err := syncDir(vfs.Default, dir); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// rebirth gives a restored store its own incarnation and says where it is from.
func rebirth(b *Backup, from, to string, now time.Time) error {
	path := filepath.Join(to, identityName)
	l, found, err := readLabel(vfs.Default, path, Format)
	if err != nil {
		return err
	}
	if !found || l.Identity != b.Identity {
		return fault.New(fault.Invalid, "%s is not of the store that %s names",
			filepath.Join(from, identityName), manifestName)
	}
	if _, err := os.Stat(filepath.Join(to, floorName)); err != nil {
		return fault.New(fault.Invalid, "%s is missing", filepath.Join(from, floorName))
	}
	r := Restored{
		Backup: b.ID, Created: b.Created, Incarnation: l.Incarnation, At: now.UTC(),
	}
	rand.Read(l.Incarnation[:]) // never fails
	fsys := private{vfs.Default}
	if err := writeFile(fsys, filepath.Join(to, restoredName), r.encode()); err != nil {
		return err
	}
	return writeFile(fsys, path, l.encode())
}

// encode gives lines of a name and a value, the last of which is a CRC-32C over
// the lines before.
func (r *Restored) encode() []byte {
	text := fmt.Appendf(nil, "coffer-restored 1\nbackup %s\ncreated %s\nincarnation %x\nat %s\n",
		r.Backup, r.Created.Format(time.RFC3339Nano), r.Incarnation,
		r.At.Format(time.RFC3339Nano))
	return fmt.Appendf(text, "crc32c %08x\n", checksum(text))
}

// parseRestored reads what encode gives, to the byte.
func parseRestored(text []byte) (*Restored, error) {
	lines := strings.Split(string(text), "\n")
	digits := value(lines, "incarnation ")
	r := &Restored{Backup: value(lines, "backup ")}
	created, err1 := time.Parse(time.RFC3339Nano, value(lines, "created "))
	at, err2 := time.Parse(time.RFC3339Nano, value(lines, "at "))
	r.Created, r.At = created, at
	ok := len(digits) == 2*len(r.Incarnation)
	if ok {
		_, err := hex.Decode(r.Incarnation[:], []byte(digits))
		ok = err == nil
	}
	if !ok || errors.Join(err1, err2) != nil || string(r.encode()) != string(text) {
		return nil, fmt.Errorf("%w: it is not as it was written", store.ErrDamaged)
	}
	return r, nil
}

// Restored tells what the store was restored from; nil when it never was.
func (e *Engine) Restored() (*Restored, error) {
	path := e.path(restoredName)
	text, err := readFile(e.cfg.FS, path, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	r, err := parseRestored(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
