package broker

import "strings"

// pattern is an immutable trie over the words of binding keys. The words * and
// # are held apart. A nil pattern matches nothing.
type pattern struct {
	words  map[string]*pattern
	one    *pattern // after *
	many   *pattern // after #
	loop   bool     // it stands after #, so it may take further words
	queues []*Queue // of the bindings that end here
}

// with gives the trie in which fn was applied to the list at the end of key.
// Nodes that lead nowhere are left out.
func (p *pattern) with(key string, fn func([]*Queue) []*Queue) *pattern {
	return p.change(key, 0, fn)
}

// change works on the words of key from at on; at is past the end when none is
// left. An empty key has no words; "a." has two, the second of them empty.
func (p *pattern) change(key string, at int, fn func([]*Queue) []*Queue) *pattern {
	var next pattern
	if p != nil {
		next = *p
	}
	word, rest, ok := nextWord(key, at)
	switch {
	case !ok:
		next.queues = fn(next.queues)
	case word == "*":
		next.one = next.one.change(key, rest, fn)
	case word == "#":
		if next.many = next.many.change(key, rest, fn); next.many != nil {
			next.many.loop = true
		}
	default:
		words := make(map[string]*pattern, len(next.words)+1)
		for w, child := range next.words {
			words[w] = child
		}
		if child := words[word].change(key, rest, fn); child != nil {
			words[word] = child
		} else {
			delete(words, word)
		}
		next.words = words
	}
	if len(next.words) == 0 && next.one == nil && next.many == nil && len(next.queues) == 0 {
		return nil
	}
	return &next
}

// match appends the queues whose patterns match key to dst, each once. It walks
// all ways through the trie at the same time, word by word, so that its work is
// bounded by nodes times words whatever the patterns are.
func (p *pattern) match(dst []*Queue, key string) []*Queue {
	var a, b [32]*pattern
	here := distinct[*pattern]{list: a[:0]}
	next := distinct[*pattern]{list: b[:0]}
	p.enter(&here)
	at := 0
	for {
		word, rest, ok := nextWord(key, at)
		if !ok {
			break
		}
		for _, n := range here.list {
			if n.loop {
				n.enter(&next)
			}
			n.one.enter(&next)
			n.words[word].enter(&next)
		}
		here, next = next, here
		next.reset()
		at = rest
	}
	found := distinct[*Queue]{list: dst, from: len(dst)}
	for _, n := range here.list {
		for _, q := range n.queues {
			found.add(q)
		}
	}
	return found.list
}

// enter adds the node, and what follows it without taking a word.
func (p *pattern) enter(set *distinct[*pattern]) {
	for n := p; n != nil && set.add(n); {
		n = n.many
	}
}

// distinct is a list without repetitions after its first elements. Short ones
// are searched, long ones have an index.
type distinct[T comparable] struct {
	list  []T
	from  int
	index map[T]struct{}
}

const distinctIndex = 48

func (d *distinct[T]) add(v T) bool {
	if d.index != nil {
		if _, ok := d.index[v]; ok {
			return false
		}
		d.index[v] = struct{}{}
		d.list = append(d.list, v)
		return true
	}
	for _, x := range d.list[d.from:] {
		if x == v {
			return false
		}
	}
	d.list = append(d.list, v)
	if len(d.list)-d.from > distinctIndex {
		d.index = make(map[T]struct{}, 4*distinctIndex)
		for _, x := range d.list[d.from:] {
			d.index[x] = struct{}{}
		}
	}
	return true
}

func (d *distinct[T]) reset() {
	d.list = d.list[:d.from]
	clear(d.index)
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
