package rootkey

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// maxText bounds what is read of a secret, in bytes.
const maxText = 64 << 10

// Reader reads secrets from their places.
type Reader struct {
	// Credentials is the directory in which systemd puts them, $CREDENTIALS_DIRECTORY.
	Credentials string
	// Prompt asks on the terminal, without echo; nil = there is no terminal.
	Prompt func(ctx context.Context, question string) ([]byte, error)
}

// text gives what stands in the place of s. The slice is the caller's, to be wiped.
func (r *Reader) text(ctx context.Context, s Source, question string) (seal.Secret, error) {
	switch s.Place {
	case File:
		return readFile(s.Name)
	case Credential:
		if r.Credentials == "" {
			return nil, fault.New(fault.Invalid, "%s: there are no credentials: start the process "+
				"by systemd with LoadCredential=%s:FILE", s, s.Name)
		}
		return readFile(filepath.Join(r.Credentials, s.Name))
	case Descriptor:
		return readDescriptor(s)
	case Prompt:
		if r.Prompt == nil {
			return nil, fault.New(fault.Invalid, "the passphrase of the root key is needed, and "+
				"there is no terminal: name where it is read from with "+
				"--root-key passphrase:credential:NAME or passphrase:fd:NUMBER")
		}
		return r.Prompt(ctx, question)
	}
	return nil, fmt.Errorf("no place of %s to read", s.Kind)
}

func readFile(path string) (seal.Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := readAll(f)
	return text, errors.Join(err, f.Close())
}

// readDescriptor reads to the end. A descriptor that is no file, pipe, socket or
// terminal was not given to the process: it is one of its own.
func readDescriptor(s Source) (seal.Secret, error) {
	var stat syscall.Stat_t // before os has it, which closes what it drops
	if err := syscall.Fstat(s.FD, &stat); err != nil {
		return nil, fault.New(fault.Invalid, "%s is not open", s)
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR:
	default:
		return nil, fault.New(fault.Invalid, "%s cannot be read", s)
	}
	f := os.NewFile(uintptr(s.FD), s.String())
	text, err := readAll(f)
	return text, errors.Join(err, f.Close())
}

func readAll(r io.Reader) (seal.Secret, error) {
	text := make(seal.Secret, maxText+1) // not grown, which would leave copies
	n, err := io.ReadFull(r, text)
	switch {
	case err == nil:
		text.Wipe()
		return nil, fault.New(fault.Invalid, "more than %d bytes are no root key", maxText)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		text.Wipe()
		return nil, err
	}
	return text[:n], nil
}

// Key reads a key: 64 hexadecimal digits, with white space around them or not. A file
// that is not there is fs.ErrNotExist.
func (r *Reader) Key(ctx context.Context, s Source) (seal.Secret, error) {
	text, err := r.text(ctx, s, "")
	if err != nil {
		return nil, wrap(s, err)
	}
	defer text.Wipe()
	key, ok := parseKey(text)
	if !ok {
		return nil, fault.New(fault.Invalid, "root key %s: not 64 hexadecimal digits", s)
	}
	return key, nil
}

func parseKey(text []byte) (seal.Secret, bool) {
	digits := bytes.TrimSpace(text)
	key := make(seal.Secret, seal.KeySize)
	if len(digits) != 2*seal.KeySize {
		return nil, false
	}
	_, err := hex.Decode(key, digits)
	return key, err == nil
}

// FormatKey writes a key as [Reader.Key] reads it.
func FormatKey(key seal.Secret) seal.Secret {
	return append(hex.AppendEncode(nil, key), '\n')
}

// Words reads a passphrase, without the end of its line; again asks twice on a terminal.
func (r *Reader) Words(ctx context.Context, s Source, again bool) (seal.Secret, error) {
	words, err := r.words(ctx, s, "passphrase of the root key")
	if err != nil || !again || s.Place != Prompt {
		return words, err
	}
	second, err := r.words(ctx, s, "the same again")
	if err == nil && !bytes.Equal(words, second) {
		err = fault.New(fault.Invalid, "the two passphrases differ; nothing was changed")
	}
	second.Wipe()
	if err != nil {
		words.Wipe()
		return nil, err
	}
	return words, nil
}

func (r *Reader) words(ctx context.Context, s Source, question string) (seal.Secret, error) {
	text, err := r.text(ctx, s, question)
	if err != nil {
		return nil, wrap(s, err)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(line) == 0 || bytes.ContainsAny(line, "\n\x00") {
		text.Wipe()
		return nil, fault.New(fault.Invalid, "root key %s: a passphrase is one line", s)
	}
	return line, nil
}

// Gather takes shares of h until there are enough: lines from a descriptor, or answers on
// the terminal.
func (r *Reader) Gather(ctx context.Context, s Source, h *Header) (key seal.Secret, err error) {
	g := NewGathering(h)
	defer g.Drop()
	if s.Place == Descriptor {
		text, err := readDescriptor(s)
		if err != nil {
			return nil, wrap(s, err)
		}
		defer text.Wipe()
		for line := range bytes.Lines(text) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if key, err = g.Add(line); err != nil || key != nil {
				return key, err
			}
		}
		given, needed := g.Given()
		return nil, fault.New(fault.Invalid, "root key %s: %d shares, %d are needed; nothing was "+
			"changed", s, given, needed)
	}
	if r.Prompt == nil {
		return nil, fault.New(fault.Invalid, "shares of the root key are needed, and there is no "+
			"terminal: name where they are read from with --root-key shares:fd:NUMBER")
	}
	for key == nil {
		given, needed := g.Given()
		text, err := r.Prompt(ctx, fmt.Sprintf("share %d of %d of the root key", given+1, needed))
		if err != nil {
			return nil, err
		}
		key, err = g.Add(text)
		clear(text)
		if err != nil {
			return nil, err
		}
	}
	return key, nil
}

// Share reads a share from a file, a credential, a descriptor or the terminal.
func (r *Reader) Share(ctx context.Context, s Source) (seal.Secret, error) {
	text, err := r.text(ctx, s, "share of the root key")
	if err != nil {
		return nil, wrap(s, err)
	}
	return text, nil
}

// wrap names the source, unless the error is for people already.
func wrap(s Source, err error) error {
	if fault.KindOf(err) == fault.Invalid {
		return err
	}
	return fmt.Errorf("read root key %s: %w", s, err)
}
