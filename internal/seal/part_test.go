package seal

import (
	"bytes"
	"errors"
	"testing"
)

// TestParts: number, last mark and id of a part are authenticated, and it is no
// whole record.
func TestParts(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 3)
	h := Header{Flags: FlagPart, DataKey: 2, ID: [16]byte{3}, Part: 7}
	rec, err := e.SealRecord([]byte("dst"), h, DomainID{1}, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	rec = rec[3:]
	if len(rec) != len("text")+PartOverhead {
		t.Fatalf("%d bytes, want %d and the text", len(rec), PartOverhead)
	}
	got, err := ParseRecord(rec)
	h.Epoch = got.Epoch
	if err != nil || got != h {
		t.Fatalf("header %+v, %v, want %+v", got, err, h)
	}
	if out, err := e.OpenRecord(nil, rec, DomainID{1}); err != nil || string(out) != "text" {
		t.Fatalf("opened %q, %v", out, err)
	}
	for at := range rec {
		bad := bytes.Clone(rec)
		bad[at] ^= FlagLast
		out, err := e.OpenRecord(nil, bad, DomainID{1})
		if !refused(err) || len(out) > 0 {
			t.Errorf("with byte %d changed: %q, %v", at, out, err)
		}
	}
	for _, n := range []int{0, recordFixed, recordFixed + partSize, len(rec) - 5} {
		if _, err := ParseRecord(rec[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
