package seglog_test

import (
	"errors"
	"sync"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// open opens a log on a disk that holds what marks say.
func open(t testing.TB, cfg seglog.Config, m marks) (*seglog.Log, *tape) {
	t.Helper()
	l, p, err := reopen(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	return l, p
}

func closed(t testing.TB, l *seglog.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// fill appends records and waits for them.
func fill(t testing.TB, l *seglog.Log, p *tape, records int) {
	t.Helper()
	for range records {
		if _, err := p.append(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.wait(l); err != nil {
		t.Fatal(err)
	}
}

// TestLives: a log is what was appended to it, over starts and released segments.
func TestLives(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	m := newTape().marks()
	for life := range 6 {
		l, p := open(t, cfg, m)
		for range 3 {
			fill(t, l, p, 25)
			if err := p.read(l); err != nil {
				t.Fatal(err)
			}
			if life%2 == 1 {
				if err := p.release(l); err != nil {
					t.Fatal(err)
				}
			}
		}
		if st := l.Stats(); st.Pending != 0 || life%2 == 1 && st.Spares > 2 {
			t.Errorf("life %d: %+v", life, st)
		}
		closed(t, l)
		m = p.marks()
	}
}

// TestClosed: nothing is appended after Close, and what was before is there.
func TestClosed(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	l, p := open(t, cfg, newTape().marks())
	if _, err := p.append(l); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	m := p.marks()
	m.acked = 1
	if _, err := l.Append(1, func([]byte) {}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := l.Append(seglog.MaxRecord+1, nil); !errors.Is(err, store.ErrLimit) {
		t.Errorf("append of too much: %v", err)
	}
	end, _, places, err := scan(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	l, err = seglog.Inspect(cfg, end)
	if err != nil {
		t.Fatal(err)
	}
	p.places = places
	if err := p.read(l); err != nil {
		t.Error(err)
	}
	if _, err := l.Append(1, func([]byte) {}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append while inspected: %v", err)
	}
	closed(t, l)
}

// TestCopy: files that are copied while records are appended, up to what was durable
// before, are a log, which goes on behind its last record.
func TestCopy(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	l, p := open(t, cfg, newTape().marks())
	for range 20 {
		fill(t, l, p, 5)
		m := p.marks()
		segment, end := l.Durable()
		fill(t, l, p, 1)
		texts := files(t, cfg.FS)
		for n := range texts {
			if n > segment {
				delete(texts, n)
			}
		}
		texts[segment] = texts[segment][:end]
		copied := config(put(t, texts))
		other, q := open(t, copied, m)
		fill(t, other, q, 3)
		closed(t, other)
		if _, _, _, err := scan(copied, q.marks()); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, l)
}

// TestMany appends, waits, reads and releases from many goroutines.
func TestMany(t *testing.T) {
	t.Parallel()
	cfg := config(newDisk(t))
	l, _ := open(t, cfg, newTape().marks())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 100 {
				text := payload(1000*g + n)
				ref, err := l.Append(len(text), func(dst []byte) { copy(dst, text) })
				if err != nil {
					t.Error(err)
					return
				}
				got := make([]byte, len(text))
				_, err = l.ReadAt(got, len(got), ref)
				if err != nil || string(got) != string(text) {
					t.Errorf("read before it is durable: %v", err)
				}
				if n%3 == 0 {
					if err := l.Wait(ref); err != nil {
						t.Error(err)
					}
				}
				if n%30 == 29 && g == 0 {
					l.Roll()
				}
			}
		})
	}
	wg.Wait()
	closed(t, l)
	records := 0
	_, err := seglog.Scan(cfg, 1, func(seglog.Record) error { records++; return nil })
	if err != nil || records != 800 {
		t.Errorf("%d records, %v", records, err)
	}
}
