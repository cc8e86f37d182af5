package broker

import (
	"hash/maphash"
	"strings"
)

// pattern is an immutable trie over the words of binding keys. The words * and
// # are held apart. A nil pattern matches nothing.
type pattern struct {
	words  table[*pattern]
	one    *pattern // after *
	many   *pattern // after #
	loop   bool     // it stands after #, so it may take further words
	queues crowd    // of the bindings that end here
}

// with gives the trie in which fn was applied to the queues at the end of key.
// Nodes that lead nowhere are left out.
func (p *pattern) with(seed maphash.Seed, key string, fn func(crowd) crowd) *pattern {
	return p.change(seed, key, 0, fn)
}

// change works on the words of key from at on; at is past the end when none is
// left. An empty key has no words; "a." has two, the second of them empty.
func (p *pattern) change(
	seed maphash.Seed, key string, at int, fn func(crowd) crowd,
) *pattern {
	var next pattern
	if p != nil {
		next = *p
	}
	word, rest, ok := nextWord(key, at)
	switch {
	case !ok:
		next.queues = fn(next.queues)
	case word == "*":
		next.one = next.one.change(seed, key, rest, fn)
	case word == "#":
		if next.many = next.many.change(seed, key, rest, fn); next.many != nil {
			next.many.loop = true
		}
	default:
		old, _ := next.words.get(seed, word)
		if child := old.change(seed, key, rest, fn); child != nil {
			next.words = next.words.with(seed, word, child)
		} else {
			next.words = next.words.without(seed, word)
		}
	}
	if next.words.n == 0 && next.one == nil && next.many == nil && next.queues.n == 0 {
		return nil
	}
	return &next
}

// match appends the queues whose patterns match key to dst, each once. It walks
// all ways through the trie at the same time, word by word, so that its work is
// bounded by nodes and words whatever the patterns are.
func (p *pattern) match(seed maphash.Seed, dst []*Queue, key string) []*Queue {
	var a, b [32]*pattern
	here, next := p.enter(a[:0]), b[:0]
	for at := 0; ; {
		word, rest, ok := nextWord(key, at)
		if !ok {
			break
		}
		for _, n := range here {
			if n.loop {
				next = n.enter(next)
			}
			next = n.one.enter(next)
			child, _ := n.words.get(seed, word)
			next = child.enter(next)
		}
		here, next = next, here[:0]
		at = rest
	}
	found := distinct{list: dst, from: len(dst)}
	for _, n := range here {
		n.queues.addTo(&found)
	}
	return found.list
}

// enter adds the node, and what follows it without taking a word.
func (p *pattern) enter(set []*pattern) []*pattern {
next:
	for n := p; n != nil; n = n.many {
		for _, x := range set {
			if x == n {
				break next // with all that follows it
			}
		}
		set = append(set, n)
	}
	return set
}

// distinct is a list without repetitions after its first elements. A short one
// is searched, a long one has an index.
type distinct struct {
	list  []*Queue
	from  int
	index map[*Queue]struct{}
}

const distinctIndex = 48

func (d *distinct) add(q *Queue) {
	if d.index != nil {
		if _, ok := d.index[q]; !ok {
			d.index[q] = struct{}{}
			d.list = append(d.list, q)
		}
		return
	}
	for _, x := range d.list[d.from:] {
		if x == q {
			return
		}
	}
	d.list = append(d.list, q)
	if len(d.list)-d.from > distinctIndex {
		d.index = make(map[*Queue]struct{}, 4*distinctIndex)
		for _, x := range d.list[d.from:] {
			d.index[x] = struct{}{}
		}
	}
}

// nextWord gives the word of key that begins at at, and where the next begins.
func nextWord(key string, at int) (word string, rest int, ok bool) {
	if at > len(key) || key == "" {
		return "", at, false
	}
	if i := strings.IndexByte(key[at:], '.'); i >= 0 {
		return key[at : at+i], at + i + 1, true
	}
	return key[at:], len(key) + 1, true
}
