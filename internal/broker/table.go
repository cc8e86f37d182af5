package broker

import (
	"hash/maphash"
	"maps"
)

// table is an immutable map by name. A change copies all of a small one and one
// bucket of a large one, so that declaring ten thousand queues does not copy ten
// thousand maps of them. The zero value is empty.
type table[V any] struct {
	few     map[string]V // up to maxFew
	buckets *[tableBuckets]map[string]V
	n       int
}

const (
	tableBuckets = 128
	maxFew       = 64 // entries of a table, or queues of a crowd, in one piece
)

func bucketOf(seed maphash.Seed, name string) int {
	return int(maphash.String(seed, name) % tableBuckets)
}

func (t table[V]) get(seed maphash.Seed, name string) (v V, ok bool) {
	if t.buckets == nil {
		v, ok = t.few[name]
		return v, ok
	}
	v, ok = t.buckets[bucketOf(seed, name)][name]
	return v, ok
}

func (t table[V]) each(fn func(V) bool) {
	for _, v := range t.few {
		if !fn(v) {
			return
		}
	}
	if t.buckets == nil {
		return
	}
	for _, b := range t.buckets {
		for _, v := range b {
			if !fn(v) {
				return
			}
		}
	}
}

func (t table[V]) with(seed maphash.Seed, name string, v V) table[V] {
	if t.buckets == nil {
		few := copied(t.few)
		few[name] = v
		if len(few) <= maxFew {
			return table[V]{few: few, n: len(few)}
		}
		return table[V]{buckets: scatter(seed, few), n: len(few)}
	}
	return t.change(seed, name, func(b map[string]V) { b[name] = v })
}

func (t table[V]) without(seed maphash.Seed, name string) table[V] {
	if t.buckets == nil {
		few := copied(t.few)
		delete(few, name)
		return table[V]{few: few, n: len(few)}
	}
	t = t.change(seed, name, func(b map[string]V) { delete(b, name) })
	if t.n > maxFew/2 { // not at maxFew, lest a change there go back and forth
		return t
	}
	few := make(map[string]V, t.n)
	for _, b := range t.buckets {
		maps.Copy(few, b)
	}
	return table[V]{few: few, n: len(few)}
}

// copied gives a map of the same with room for one more.
func copied[V any](m map[string]V) map[string]V {
	c := make(map[string]V, len(m)+1)
	maps.Copy(c, m)
	return c
}

func scatter[V any](seed maphash.Seed, m map[string]V) *[tableBuckets]map[string]V {
	var buckets [tableBuckets]map[string]V
	for name, v := range m {
		i := bucketOf(seed, name)
		if buckets[i] == nil {
			buckets[i] = map[string]V{}
		}
		buckets[i][name] = v
	}
	return &buckets
}

// change copies one bucket of a large table for fn.
func (t table[V]) change(seed maphash.Seed, name string, fn func(map[string]V)) table[V] {
	buckets := *t.buckets
	i := bucketOf(seed, name)
	b := copied(buckets[i])
	n := t.n - len(b)
	fn(b)
	buckets[i] = b
	return table[V]{buckets: &buckets, n: n + len(b)}
}
