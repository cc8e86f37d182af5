package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"coffer/internal/store"
)

// TestFooter flips each bit of the footer of a table: a start refuses with the
// table's name, an inspection tells it, and neither reads the table in another
// layout.
func TestFooter(t *testing.T) {
	t.Parallel()
	whole := filled(t, 64<<10)
	for _, name := range everyFile(t, whole) {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		text := readFile(t, whole, name)
		first := len(text) - 53
		for n := range 53 * 8 {
			at, bit := first+n/8, n%8
			disk := whole.Image(100, 0)
			bad := []byte(string(text))
			bad[at] ^= 1 << bit
			writeFile(t, disk, name, bad)
			err := found(t, disk)
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, octet %d, bit %d: %v", name, at, bit, err)
			}
			told, _, _ := inspect(t, disk)
			if !strings.Contains(strings.Join(told, "\n"), name) {
				t.Errorf("%s, octet %d, bit %d: told %q", name, at, bit, told)
			}
		}
		return
	}
	t.Error("there is no table")
}
