package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Files says what the files of a data directory should be like.
type Files struct {
	Dir string
	// Owner is the user who serves; negative: whoever owns Dir.
	Owner int
	// Secret are names in Dir that only the owner may read, Public those that anybody may.
	Secret, Public []string
}

// maxNamed bounds how many files a finding names.
const maxNamed = 3

// Check looks at the owner and the mode of every file.
func (f Files) Check(r *Report) {
	const mode, owner = "file.mode", "file.owner"
	r.Look(mode)
	r.Look(owner)
	var open, secret, strange, unread []string
	closed := "" // the last directory that others cannot enter
	err := filepath.WalkDir(f.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a process removed it meanwhile
		}
		if err != nil {
			unread = append(unread, err.Error())
			return nil
		}
		info, err := d.Info()
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		name, err := filepath.Rel(f.Dir, path)
		if err != nil {
			return err
		}
		if sys, ok := info.Sys().(*syscall.Stat_t); ok {
			if f.Owner < 0 {
				f.Owner = int(sys.Uid) // Dir comes first
			}
			if int(sys.Uid) != f.Owner {
				strange = append(strange, fmt.Sprintf("%s (%d)", name, sys.Uid))
			}
		}
		if d.IsDir() && closed != "" && strings.HasPrefix(path, closed) {
			return nil
		}
		if d.IsDir() && info.Mode().Perm()&0o011 == 0 && name != "." {
			closed = path + string(filepath.Separator)
		}
		switch seen := fmt.Sprintf("%s (%v)", name, info.Mode().Perm()); {
		case slices.Contains(f.Secret, name) && info.Mode().Perm()&0o077 != 0:
			secret = append(secret, seen)
		case info.Mode().Perm()&f.forbidden(name) != 0:
			open = append(open, seen)
		}
		return nil
	})
	if err != nil {
		unread = append(unread, err.Error())
	}
	for _, found := range []struct {
		id     string
		s      Severity
		list   []string
		do, is string
	}{
		{mode, Error, secret, "chmod 600 them, and replace what they hold if others have read it",
			"others than the owner can read secrets"},
		{mode, Warning, open, "chmod -R go= the store, and take write access from others",
			"others than the owner can get at files"},
		{owner, Warning, strange, fmt.Sprintf("chown -R %d the directory", f.Owner),
			fmt.Sprintf("files are not user %d's, whose the directory is", f.Owner)},
		{mode, Error, unread, "run this as the user who serves the directory",
			"files cannot be looked at"},
	} {
		if len(found.list) > 0 {
			r.Find(found.id, found.s, found.do, "%s: %s", found.is, some(found.list))
		}
	}
}

// forbidden are the rights that others may not have to a file. The directory itself may
// be entered: what is secret in it is for the owner alone.
func (f Files) forbidden(name string) fs.FileMode {
	if name == "." || slices.Contains(f.Public, name) {
		return 0o022
	}
	return 0o077
}

func some(list []string) string {
	text := ""
	for i, name := range list {
		if i == maxNamed {
			return text + fmt.Sprintf(" and %d more", len(list)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// CheckRootKey warns of a root key that lies with what it protects.
func CheckRootKey(r *Report, file, dir string) {
	const id = "key.beside"
	device := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		sys, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(sys.Dev), true
	}
	key, ok := device(file)
	data, found := device(dir)
	switch {
	case !ok || !found:
		r.Skip(id, "the root key's file is not here")
	case key == data:
		r.Find(id, Warning, "keep it elsewhere: a credential of systemd, a passphrase or shares "+
			"(coffer root rotate --to); whoever takes the disk has both",
			"the root key %s is on the file system of the data", file)
	default:
		r.Look(id)
	}
}
