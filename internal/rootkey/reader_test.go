package rootkey

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/fault"
)

// TestKey reads a key from each place, and tells what is none without showing it.
func TestKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	digits := string(FormatKey(key))
	r := &Reader{Credentials: dir}
	path := filepath.Join(dir, "root")
	put := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := Source{Kind: Key, Place: File, Name: path}
	credential := Source{Kind: Key, Place: Credential, Name: "root"}
	for _, text := range []string{digits, strings.ToUpper(digits), "\n " + digits + "\r\n"} {
		put(text)
		for _, s := range []Source{file, credential, descriptor(t, path)} {
			if got, err := r.Key(t.Context(), s); err != nil || !bytes.Equal(got, key) {
				t.Errorf("%s of %q: %v", s, text, err)
			}
		}
	}
	for _, text := range []string{"", digits[:63], digits + digits, strings.Repeat("g", 64),
		strings.Repeat(" ", maxText+1)} {
		put(text)
		for _, s := range []Source{file, credential, descriptor(t, path)} {
			_, err := r.Key(t.Context(), s)
			if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), digits[:20]) {
				t.Errorf("%s of %d bytes: %v", s, len(text), err)
			}
		}
	}
	file.Name, credential.Name = path+".none", "none"
	for _, s := range []Source{file, credential} {
		if _, err := r.Key(t.Context(), s); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s that is not there: %v", s, err)
		}
	}
	_, err = (&Reader{}).Key(t.Context(), credential)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "LoadCredential=none") {
		t.Errorf("no credentials: %v", err)
	}
	_, err = r.Key(t.Context(), Source{Kind: Key, Place: Descriptor, FD: 1 << 20})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("a descriptor that is not open: %v", err)
	}
}

// descriptor opens a file for one read.
func descriptor(t *testing.T, path string) Source {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w.Write(text) // its reader may have enough before the end
		w.Close()
	}()
	own, err := syscall.Dup(int(r.Fd()))
	if cerr := r.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return Source{Kind: Key, Place: Descriptor, FD: own}
}

// TestWords: one line, from a place or asked twice.
func TestWords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "words")
	r := &Reader{Credentials: filepath.Dir(path)}
	s := Source{Kind: Passphrase, Place: Credential, Name: "words"}
	for text, want := range map[string]string{
		"a b c\n": "a b c", "a b c": "a b c", " a \r\n": " a ", "": "", "\n": "", "a\nb\n": "",
		"a\x00b": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := r.Words(t.Context(), s, true)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %d bytes, %v", text, len(got), err)
		}
	}
	s.Place = Prompt
	if _, err := r.Words(t.Context(), s, false); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a terminal: %v", err)
	}
	for second, ok := range map[string]bool{"once": true, "twice": false} {
		answers := []string{"once", second}
		r.Prompt = func(_ context.Context, question string) ([]byte, error) {
			a := answers[0]
			answers = answers[1:]
			return []byte(a), nil
		}
		got, err := r.Words(t.Context(), s, true)
		if (err == nil) != ok || ok && string(got) != "once" {
			t.Errorf("once, then %s: %v", second, err)
		}
	}
}
