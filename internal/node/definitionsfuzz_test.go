package node

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// FuzzDefinitions: whatever is imported, the broker goes on, what it refuses has a kind,
// and what it took it exports so that another broker takes it, too.
func FuzzDefinitions(f *testing.F) {
	text, err := os.ReadFile(realExport)
	must(f, err)
	f.Add(text)
	script, err := os.ReadFile("testdata/badimport.txt")
	must(f, err)
	for line := range strings.Lines(string(script)) {
		if rest, ok := strings.CutPrefix(line, "== "); ok {
			f.Add([]byte(strings.Replace(rest, "GOOD", "", 1)))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d rabbitmq.Definitions
		if json.Unmarshal(text, &d) != nil {
			return
		}
		for i := range d.Users {
			d.Users[i].Password = nil // its hash takes long
		}
		b := newRabbit(t)
		if err := b.Import(t.Context(), d, ""); err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Fatalf("%v", err)
			}
			return
		}
		first := exported(t, b, "")
		other := newRabbit(t)
		if err := other.Import(t.Context(), readDefinitions(t, first), ""); err != nil {
			t.Fatalf("%s\nis not taken: %v", first, err)
		}
		if second := exported(t, other, ""); !bytes.Equal(first, second) {
			t.Errorf("exported\n%s\nand, imported again,\n%s", first, second)
		}
	})
}
