package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"coffer/internal/store"
)

// TestFooter flips each bit of the footer of a table: a start refuses with the
// table's name, and never reads the table in another layout.
func TestFooter(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	for _, name := range everyFile(t, whole) {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		text := readFile(t, whole, name)
		for at := len(text) - 53; at < len(text); at++ {
			disk := whole.Image(100, 0)
			bad := []byte(string(text))
			bad[at] ^= 1 << (at % 8)
			writeFile(t, disk, name, bad)
			err := found(t, disk)
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, octet %d: %v", name, at, err)
			}
		}
		return
	}
	t.Error("there is no table")
}
