package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"coffer/internal/fault"
)

const (
	manifestName = "BACKUP"         // in a backup: what it is; written last
	partialName  = "BACKUP.partial" // in a backup that is not complete: of what it is one
	copyLockName = "BACKUP.lock"    // held while a backup is written
)

// Copied says what CopyCheckpoint did.
type Copied struct {
	*Backup
	Kept int  // files that an earlier, interrupted call had copied
	Done bool // the backup was complete before the call
}

// CopyCheckpoint makes a backup in the directory to of the checkpoint in from:
// files of mode 0600 in directories of mode 0700, each synced and read again,
// the manifest last. Called again after an interruption at any point it goes on.
//
// A directory that holds something else is refused with kind fault.Exists, one
// that has no room with fault.Exhausted. The directory is made when it is missing.
func CopyCheckpoint(ctx context.Context, from, to string) (*Copied, error) {
	c := &copier{from: from, to: to}
	b, text, err := c.source()
	if err != nil {
		return nil, err
	}
	done := &Copied{Backup: b}
	held, err := c.take()
	if err != nil {
		return nil, err
	}
	defer held.Close() // nothing was written to it
	if complete, err := c.target(b, text); err != nil {
		return nil, err
	} else if complete != nil {
		return &Copied{Backup: complete, Done: true}, c.tidy()
	}
	names, total, err := c.list()
	if err == nil {
		err = c.room(total)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, kept, err := c.file(ctx, name)
		if err != nil {
			return nil, c.explain(name, err)
		}
		if kept {
			done.Kept++
		}
		b.Files = append(b.Files, f)
	}
	return done, c.finish(b)
}

// ReadBackup reads the manifest of a backup. A directory without one is of kind
// fault.Invalid. The files are not looked at.
func ReadBackup(dir string) (*Backup, error) {
	path := filepath.Join(dir, manifestName)
	text, err := readFile(vfs.Default, path, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		why := "it has no " + manifestName
		if _, err := os.Stat(filepath.Join(dir, partialName)); err == nil {
			why = "it was not finished"
		}
		return nil, fault.New(fault.Invalid, "%s is no backup: %s", dir, why)
	}
	if err != nil {
		return nil, err
	}
	b, err := parseBackup(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Unfinished gives the id of the backup in dir that was begun and not finished,
// or that was finished there; empty when there is none.
func Unfinished(dir string) (id string, complete bool, err error) {
	if b, err := ReadBackup(dir); err == nil {
		return b.ID, true, nil
	} else if fault.KindOf(err) != fault.Invalid {
		return "", false, err
	}
	text, err := readFile(vfs.Default, filepath.Join(dir, partialName), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	b, err := parseBackup(text)
	if err != nil {
		return "", false, nil // cut short by a crash before anything else was there
	}
	return b.ID, false, nil
}

// copier makes one backup.
type copier struct{ from, to string }

// source reads what the checkpoint is.
func (c *copier) source() (*Backup, []byte, error) {
	path := filepath.Join(c.from, checkpointName)
	text, err := readFile(vfs.Default, path, maxManifest)
	if err != nil {
		return nil, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	b, err := parseBackup(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, text, nil
}

// CheckTarget refuses a directory that CopyCheckpoint would refuse for what is in
// it, before a checkpoint is made, and changes nothing.
func CheckTarget(to string) error {
	list, err := os.ReadDir(to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("%s cannot hold a backup: %v", to, err))
	}
	ours := len(list) == 0 || slices.ContainsFunc(list, func(d fs.DirEntry) bool {
		return d.Name() == manifestName || d.Name() == partialName || d.Name() == copyLockName
	})
	if !ours {
		return fault.New(fault.Exists,
			"%s is not empty and holds no backup: choose another directory", to)
	}
	return nil
}

// take makes the target and keeps other copiers out of it.
func (c *copier) take() (io.Closer, error) {
	if err := CheckTarget(c.to); err != nil {
		return nil, err
	}
	if err := makeDir(vfs.Default, c.to); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("%s cannot be made: %v", c.to, err))
	}
	held, err := private{vfs.Default}.Lock(filepath.Join(c.to, copyLockName))
	if err != nil && lockTaken(err) {
		return nil, fault.New(fault.Conflict, "another process writes a backup to %s", c.to)
	}
	return held, err
}

// target readies the directory: it gives the backup that is complete there.
func (c *copier) target(b *Backup, text []byte) (*Backup, error) {
	id, complete, err := Unfinished(c.to)
	switch {
	case err != nil:
		return nil, err
	case complete && id == b.ID:
		return ReadBackup(c.to)
	case complete:
		return nil, fault.New(fault.Exists, "%s holds a complete backup already: "+
			"choose another directory", c.to)
	case id != "" && id != b.ID:
		return nil, fault.New(fault.Exists, "%s holds a part of another backup, %s: "+
			"remove it, or choose another directory", c.to, id)
	}
	if err := os.MkdirAll(filepath.Join(c.to, dataName), 0o700); err != nil {
		return nil, err
	}
	if id == "" {
		err = writeFile(private{vfs.Default}, filepath.Join(c.to, partialName), text)
	}
	return nil, err
}

// list gives the files to copy in the order of the manifest, and their bytes.
func (c *copier) list() (names []string, total int64, err error) {
	err = filepath.WalkDir(c.from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(c.from, path)
		if err != nil || rel == checkpointName {
			return err
		}
		name := filepath.ToSlash(rel)
		if !d.Type().IsRegular() || !fileName.MatchString(name) {
			return fmt.Errorf("%s is no file of a checkpoint", path)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		names, total = append(names, name), total+info.Size()
		return nil
	})
	slices.Sort(names)
	return names, total, err
}

// room refuses a target that is too small, before it is filled.
func (c *copier) room(total int64) error {
	var have int64
	err := filepath.WalkDir(c.to, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		have += info.Size()
		return err
	})
	if err != nil {
		return err
	}
	usage, err := vfs.Default.GetDiskUsage(c.to)
	if err != nil || total-have <= int64(usage.AvailBytes) {
		return nil // where the space is not known, writing will tell
	}
	return fault.New(fault.Exhausted, "no room for the backup in %s: it needs %d MiB more, "+
		"%d MiB are free", c.to, (total-have)>>20, usage.AvailBytes>>20)
}

// explain gives an error of copying the words that help.
func (c *copier) explain(name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fault.Wrap(fault.Exhausted, err, "no room for the backup in "+c.to+
			": make room and run the command again, it goes on")
	}
	return fmt.Errorf("copy %s: %w", name, err)
}

// file copies one file unless it is there and the same.
func (c *copier) file(ctx context.Context, name string) (f BackupFile, kept bool, err error) {
	src, dst := filepath.Join(c.from, filepath.FromSlash(name)), filepath.Join(c.to, name)
	f = BackupFile{Name: name}
	had, size, err := digest(ctx, dst, io.Discard)
	if kept = err == nil; !kept && !errors.Is(err, fs.ErrNotExist) {
		return f, false, err
	}
	if kept {
		f.SHA256, f.Size, err = digest(ctx, src, io.Discard)
		if err == nil && f.SHA256 == had && f.Size == size {
			err = os.Remove(dst + halfSuffix)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return f, true, err
		}
		if err != nil {
			return f, false, err
		}
	}
	f.SHA256, f.Size, err = copyFile(ctx, src, dst)
	return f, false, err
}

// finish writes the manifest, by which the backup is complete.
func (c *copier) finish(b *Backup) error {
	for _, dir := range []string{filepath.Join(c.to, dataName), c.to} {
		if err := syncDir(vfs.Default, dir); err != nil {
			return err
		}
	}
	err := writeFile(private{vfs.Default}, filepath.Join(c.to, manifestName), b.encode())
	if err != nil {
		return c.explain(manifestName, err)
	}
	return c.tidy()
}

// tidy removes what only an unfinished backup has.
func (c *copier) tidy() error {
	for _, name := range []string{partialName, copyLockName} {
		err := os.Remove(filepath.Join(c.to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file by way of a temporary one, syncs it and reads it again.
func copyFile(ctx context.Context, src, dst string) (sum [sha256.Size]byte, n int64, err error) {
	half := dst + halfSuffix
	out, err := os.OpenFile(half, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return sum, 0, err
	}
	sum, n, err = digest(ctx, src, out)
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return sum, 0, err
	}
	again, size, err := digest(ctx, half, io.Discard)
	if err == nil && (again != sum || size != n) {
		err = errors.New("what was written is not what is read")
	}
	if err == nil {
		err = os.Rename(half, dst)
	}
	return sum, n, err
}

// digest reads a file to its end, into w.
func digest(ctx context.Context, path string, w io.Writer) (
	sum [sha256.Size]byte, n int64, err error,
) {
	f, err := os.Open(path)
	if err != nil {
		return sum, 0, err
	}
	h := sha256.New()
	n, err = io.CopyBuffer(io.MultiWriter(h, w), patient{ctx, f}, make([]byte, 1<<20))
	h.Sum(sum[:0])
	return sum, n, errors.Join(err, f.Close())
}

// patient is a reader that ends with its context.
type patient struct {
	ctx context.Context
	f   io.Reader
}

func (p patient) Read(b []byte) (int, error) {
	if err := context.Cause(p.ctx); err != nil {
		return 0, err
	}
	return p.f.Read(b)
}

// extra tells names of a backup that its manifest does not list.
func extra(dir string, b *Backup) error {
	known := map[string]bool{manifestName: true, partialName: true, copyLockName: true}
	for _, f := range b.Files {
		known[f.Name] = true
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		name := filepath.ToSlash(rel)
		if err != nil || name == "." || d.IsDir() && name == dataName || known[name] {
			return err
		}
		return fault.New(fault.Invalid, "%s is not of the backup: %s does not list it",
			path, manifestName)
	})
}
