package embedded

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"coffer/internal/store"
)

// sample is a manifest with every kind of line.
func sample() *Backup {
	return &Backup{
		ID: strings.Repeat("0a", 16), Version: "v1.2.3",
		Created: time.Date(2026, 11, 1, 2, 3, 4, 5, time.UTC),
		Identity: Identity{
			Cluster: [16]byte{1}, Node: [16]byte{2}, Incarnation: [16]byte{3}, Shards: 2,
		},
		Positions: []store.Position{{Epoch: 1, Index: 2}, {}},
		Files: []BackupFile{
			{Name: "IDENTITY", Size: 9, SHA256: [32]byte{4}}, {Name: "data/000001.log"},
		},
	}
}

// TestManifest: what is written is read, and every flipped bit is damage.
func TestManifest(t *testing.T) {
	t.Parallel()
	text := sample().encode()
	b, err := parseBackup(text)
	if err != nil || !bytes.Equal(b.encode(), text) || b.Identity != sample().Identity ||
		len(b.Files) != 2 || b.Size() != 9 {
		t.Fatalf("%+v, %v", b, err)
	}
	for i := range text {
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[i] ^= 1 << bit
			if _, err := parseBackup(flipped); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
}

// TestManifestRefuses: what no program of this format writes is refused, also with
// a right checksum.
func TestManifestRefuses(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*Backup){
		"id":         func(b *Backup) { b.ID = "../../etc" },
		"out of it":  func(b *Backup) { b.Files[0].Name = "../IDENTITY" },
		"absolute":   func(b *Backup) { b.Files[0].Name = "/etc/passwd" },
		"hidden":     func(b *Backup) { b.Files[1].Name = "data/.." },
		"order":      func(b *Backup) { b.Files[0], b.Files[1] = b.Files[1], b.Files[0] },
		"twice":      func(b *Backup) { b.Files[1].Name = b.Files[0].Name },
		"negative":   func(b *Backup) { b.Files[0].Size = -1 },
		"no shards":  func(b *Backup) { b.Positions = nil },
		"many lines": func(b *Backup) { b.Version = "v1\nid x" },
	} {
		b := sample()
		change(b)
		if _, err := parseBackup(b.encode()); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	newer := bytes.Replace(sample().encode(), []byte("backup 1"), []byte("backup 2"), 1)
	newer = resum(newer[:bytes.LastIndex(newer, []byte("sha256 "))])
	if _, err := parseBackup(newer); err == nil || errors.Is(err, store.ErrDamaged) {
		t.Errorf("a newer format: %v", err)
	}
}

// TestRestoredFile: what is written is read, and every flipped bit is damage.
func TestRestoredFile(t *testing.T) {
	t.Parallel()
	r := Restored{Backup: strings.Repeat("0a", 16), Created: time.Unix(1, 2).UTC(),
		Incarnation: [16]byte{3}, At: time.Unix(4, 0).UTC()}
	text := r.encode()
	if got, err := parseRestored(text); err != nil || *got != r {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range text {
		flipped := bytes.Clone(text)
		flipped[i] ^= 1
		if _, err := parseRestored(flipped); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// FuzzManifest: any bytes are read without panicking, and what is taken is what
// would be written.
func FuzzManifest(f *testing.F) {
	text := sample().encode()
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte("coffer-backup 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, text := range [][]byte{text, resum(text)} {
			b, err := parseBackup(text)
			if err == nil && !bytes.Equal(b.encode(), text) {
				t.Errorf("%q is taken for %q", text, b.encode())
			}
		}
	})
}
