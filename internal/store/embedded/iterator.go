package embedded

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"

	"coffer/internal/store"
)

var (
	_ store.Iterator = (*iterator)(nil)
	_ store.Iterator = noIterator{}
)

// iterator merges the tables in memory and the disk. Where several know a key, the
// newest counts.
type iterator struct {
	place   *place
	memory  []cursor // the newest first
	disk    *pebble.Iterator
	onDisk  bool   // disk stands at a key
	at      int    // who has the key: an index in memory, or its length for disk
	upper   []byte // of keys in memory; nil means no bound
	key     []byte
	value   []byte
	window  window // for values of the log
	started bool
	ended   bool
	err     error
}

// A cursor stands at a row of a table.
type cursor struct {
	table *table
	rows  btree.MapIter[string, row]
	valid bool
}

func (s *snapshot) Iter(lower, upper []byte) store.Iterator {
	opts := pebble.IterOptions{
		LowerBound: dataKey(s.place.id, lower),
		UpperBound: dataEnd(s.place.id),
	}
	if upper != nil {
		opts.UpperBound = dataKey(s.place.id, upper)
	}
	if bytes.Compare(opts.LowerBound, opts.UpperBound) >= 0 {
		return noIterator{}
	}
	disk, err := s.base.disk.NewIter(&opts)
	if err != nil {
		return noIterator{s.place.readError(err)}
	}
	it := &iterator{place: s.place, disk: disk, upper: bytes.Clone(upper)}
	it.window.place = s.place
	for _, t := range s.tables() {
		c := cursor{table: t, rows: t.rows.Iter()}
		c.valid = c.rows.Seek(string(lower))
		it.memory = append(it.memory, c)
	}
	return it
}

func (it *iterator) Next() bool {
	if it.err != nil || it.ended {
		return false
	}
	if it.started {
		it.advance()
	} else {
		it.started = true
		it.moved(it.disk.First())
	}
	for it.err == nil && it.least() {
		if it.read() {
			return true
		}
	}
	it.ended = true
	return false
}

// moved notes where disk stands. Behind what cannot be read there may be any key, so
// nothing of those in memory is shown either.
func (it *iterator) moved(onDisk bool) {
	it.onDisk = onDisk
	if err := it.disk.Error(); err != nil {
		it.err = it.place.readError(err)
	}
}

// least finds the smallest key and the newest who stands there.
func (it *iterator) least() (ok bool) {
	if it.onDisk {
		it.at, ok = len(it.memory), true
		it.key = append(it.key[:0], it.disk.Key()[prefixLen:]...)
	}
	for i := len(it.memory) - 1; i >= 0; i-- {
		c := &it.memory[i]
		if !c.valid {
			continue
		}
		key := c.rows.Key()
		if it.upper != nil && key >= string(it.upper) {
			c.valid = false
			continue
		}
		if !ok || key <= string(it.key) {
			it.at, ok = i, true
			it.key = append(it.key[:0], key...)
		}
	}
	return ok
}

// read reads the value at the key and reports whether there is one; where there is
// none it moves on.
func (it *iterator) read() (seen bool) {
	for _, above := range it.memory[:it.at] {
		if above.table.spans.Len() == 0 {
			continue
		}
		if upper, ok := above.table.covered(string(it.key)); ok {
			it.skip(upper)
			return false
		}
	}
	if it.at == len(it.memory) {
		if it.value, it.err = it.disk.ValueAndErr(); it.err != nil {
			it.err = it.place.readError(it.err)
		} else {
			it.err = it.place.found(it.value)
		}
		return it.err == nil
	}
	r := it.memory[it.at].rows.Value()
	if r.kind == rowDeleted {
		it.advance()
		return false
	}
	it.value, it.err = it.window.value(r)
	return it.err == nil
}

// advance moves on all who stand at the key; no newer one than at does.
func (it *iterator) advance() {
	for i := it.at; i < len(it.memory); i++ {
		if c := &it.memory[i]; c.valid && c.rows.Key() == string(it.key) {
			c.valid = c.rows.Next()
		}
	}
	if it.onDisk && bytes.Equal(it.disk.Key()[prefixLen:], it.key) {
		it.moved(it.disk.Next())
	}
}

// skip moves at behind a range that was deleted above it.
func (it *iterator) skip(upper string) {
	if it.at < len(it.memory) {
		c := &it.memory[it.at]
		c.valid = c.rows.Seek(upper)
		return
	}
	it.moved(it.disk.SeekGE(dataKey(it.place.id, []byte(upper))))
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }
func (it *iterator) Err() error    { return it.err }

func (it *iterator) Close() error {
	if err := it.disk.Close(); err != nil && it.err == nil {
		return it.place.readError(err)
	}
	return it.err
}

// noIterator walks nothing; err says why when that is a failure.
type noIterator struct{ err error }

func (noIterator) Next() bool    { return false }
func (noIterator) Key() []byte   { return nil }
func (noIterator) Value() []byte { return nil }
func (it noIterator) Err() error { return it.err }
func (noIterator) Close() error  { return nil }
