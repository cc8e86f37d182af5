package broker

import (
	"hash/maphash"
	"slices"
)

// crowd is an immutable set of queues, in no order. Like a table, it is in one
// piece while it is small, so that ten thousand queues can come and go at one
// fan-out address without as many copies of ten thousand. The zero value is empty.
type crowd struct {
	few   []*Queue // up to maxFew
	parts *[tableBuckets][]*Queue
	n     int
}

// appendTo appends the queues to dst.
func (c crowd) appendTo(dst []*Queue) []*Queue {
	if c.parts == nil {
		return append(dst, c.few...)
	}
	dst = slices.Grow(dst, c.n)
	for _, part := range c.parts {
		dst = append(dst, part...)
	}
	return dst
}

// addTo adds the queues to d.
func (c crowd) addTo(d *distinct) {
	for _, q := range c.few {
		d.add(q)
	}
	if c.parts == nil {
		return
	}
	for _, part := range c.parts {
		for _, q := range part {
			d.add(q)
		}
	}
}

func (c crowd) with(seed maphash.Seed, q *Queue) crowd {
	if c.parts == nil {
		few := include(c.few, q)
		if len(few) <= maxFew {
			return crowd{few: few, n: len(few)}
		}
		var parts [tableBuckets][]*Queue
		for _, x := range few {
			i := bucketOf(seed, x.spec.Name)
			parts[i] = append(parts[i], x)
		}
		return crowd{parts: &parts, n: len(few)}
	}
	return c.change(seed, q, include)
}

func (c crowd) without(seed maphash.Seed, q *Queue) crowd {
	if c.parts == nil {
		few := exclude(c.few, q)
		return crowd{few: few, n: len(few)}
	}
	c = c.change(seed, q, exclude)
	if c.n > maxFew/2 { // not at maxFew, lest a change there go back and forth
		return c
	}
	return crowd{few: c.appendTo(nil), n: c.n}
}

// change replaces the part in which q lies or will lie.
func (c crowd) change(
	seed maphash.Seed, q *Queue, fn func([]*Queue, *Queue) []*Queue,
) crowd {
	parts := *c.parts
	i := bucketOf(seed, q.spec.Name)
	n := c.n - len(parts[i])
	parts[i] = fn(parts[i], q)
	return crowd{parts: &parts, n: n + len(parts[i])}
}

// include and exclude give a new list, because snapshots share the old one.
func include(list []*Queue, q *Queue) []*Queue {
	if slices.Contains(list, q) {
		return list
	}
	return append(list[:len(list):len(list)], q)
}

func exclude(list []*Queue, q *Queue) []*Queue {
	left := make([]*Queue, 0, len(list))
	for _, x := range list {
		if x != q {
			left = append(left, x)
		}
	}
	return left
}
