package seglog_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/internal/store/seglog"
)

const sector = 512

// tear gives files of which some sectors that a write changed are as before it.
func tear(before, after map[uint64][]byte, r *rand.Rand) map[uint64][]byte {
	torn := maps.Clone(after)
	for n, text := range after {
		old := before[n]
		text = slices.Clone(text)
		for at := 0; at < len(text); at += sector {
			if end := min(at+sector, len(text)); r.IntN(3) == 0 {
				clear(text[at:end])
				copy(text[at:end], old[min(at, len(old)):min(end, len(old))])
			}
		}
		torn[n] = text
	}
	return torn
}

// A history is what a log holds, with the state of its files.
type history struct {
	files   map[uint64][]byte
	from    uint64
	records [][]byte // from the segment from on
}

// add starts on the files and appends a record, first of a segment if roll. It gives
// what the log holds then; places gets where the record is.
func (h history) add(t *testing.T, record []byte, roll bool) history {
	t.Helper()
	cfg := config(put(t, h.files))
	l, err := seglog.Open(cfg, h.scan(t, len(h.records)))
	if err != nil {
		t.Fatal(err)
	}
	if roll {
		l.Roll()
	}
	ref, err := l.Append(len(record), func(dst []byte) { copy(dst, record) })
	if err = errors.Join(err, l.Wait(ref), l.Close()); err != nil {
		t.Fatal(err)
	}
	return history{files(t, cfg.FS), h.from, append(slices.Clip(h.records), record)}
}

// scan reads the files: they hold the records, of which at least some are there.
func (h *history) scan(t *testing.T, least int) seglog.End {
	t.Helper()
	n := 0
	end, err := seglog.Scan(config(put(t, h.files)), h.from, func(r seglog.Record) error {
		if n == len(h.records) || !bytes.Equal(r.Payload, h.records[n]) {
			return fmt.Errorf("record %d of %d is another one", n, len(h.records))
		}
		n++
		return nil
	})
	if err != nil || n < least {
		t.Fatalf("%d of %d records, at least %d: %v", n, len(h.records), least, err)
	}
	h.records = h.records[:n]
	return end
}

// TestTorn tears the last group in sectors, appends another one, tears that, three times
// over, behind earlier records and at the beginning of a file that was used before:
// what was dropped never comes back, and nothing is called damage.
func TestTorn(t *testing.T) {
	t.Parallel()
	disk := newDisk(t)
	l, p := open(t, config(disk), newTape().marks())
	fill(t, l, p, 30) // so that files to use again hold old groups
	if err := p.release(l); err != nil {
		t.Fatal(err)
	}
	fill(t, l, p, 3)
	closed(t, l)
	whole := history{files: files(t, disk), from: p.from}
	for n := p.start; n < p.acked; n++ {
		whole.records = append(whole.records, payload(n))
	}
	dropped := 0
	for try := range 60 {
		r := rand.New(rand.NewPCG(uint64(try), 1))
		h := whole
		for round := range 4 {
			record := bytes.Repeat([]byte{byte(1 + round + 4*try)}, 100+r.IntN(12_000))
			after := h.add(t, record, try%3 == 0 && round == 0)
			after.files = tear(h.files, after.files, r)
			least := len(h.records)
			after.scan(t, least)
			if h = after; len(h.records) == least {
				dropped++
			}
		}
	}
	if dropped < 100 {
		t.Errorf("only %d groups were torn", dropped)
	}
}
