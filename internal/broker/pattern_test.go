package broker

import (
	"hash/maphash"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	for _, c := range []struct{ pattern, matches, misses string }{
		{"a", "a", "b a.b a."},
		{"a.b", "a.b", "a a.b.c a.c ab"},
		{"*", "a", "a.b"},
		{"*.b", "a.b .b", "b a.b.c"},
		{"#", "a a.b a.b.c .", ""},
		{"a.#", "a a.b a.b.c a.", "b.a ab"},
		{"#.z", "z a.z a.b.z", "z.a"},
		{"a.#.z", "a.z a.b.z a.b.c.z", "a z a.b"},
		{"*.#", "a a.b", ""},
		{"#.*.#", "a a.b a.b.c", ""},
		{"a.*.c", "a.b.c a..c", "a.c a.b.b.c"},
		{"#.#", "a a.b", ""},
	} {
		q := &Queue{}
		var p *pattern
		p = p.with(seed, c.pattern, func(l crowd) crowd { return l.with(seed, q) })
		for _, key := range strings.Fields(c.matches) {
			if got := p.match(seed, nil, key); len(got) != 1 {
				t.Errorf("%s does not match %q", c.pattern, key)
			}
		}
		for _, key := range strings.Fields(c.misses) {
			if got := p.match(seed, nil, key); len(got) != 0 {
				t.Errorf("%s matches %q", c.pattern, key)
			}
		}
		out := func(l crowd) crowd { return l.without(seed, q) }
		if p = p.with(seed, c.pattern, out); p != nil {
			t.Errorf("%s leaves nodes behind", c.pattern)
		}
	}
	var p *pattern
	p = p.with(seed, "#", func(l crowd) crowd { return l.with(seed, &Queue{}) })
	if len(p.match(seed, nil, "")) != 1 {
		t.Error("# does not match the empty key")
	}
}

// unbound gives the bindings that a queue without any has.
func unbound() []*binding { return nil }

// matchWords is the definition: word by word, # any number of them.
func matchWords(pattern, key []string) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	if pattern[0] == "#" {
		for i := range len(key) + 1 {
			if matchWords(pattern[1:], key[i:]) {
				return true
			}
		}
		return false
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) &&
		matchWords(pattern[1:], key[1:])
}

func TestPatternsAreTheirDefinition(t *testing.T) {
	t.Parallel()
	seed := maphash.MakeSeed()
	words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "#"}), 1, 6)
	plain := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 6)
	rapid.Check(t, func(t *rapid.T) {
		topology := &Topology{seed: seed}
		r := &route{address: Address{Name: "x", Kind: Pattern}}
		bound := map[string]*binding{}
		for range rapid.IntRange(1, 60).Draw(t, "bindings") {
			key := strings.Join(words.Draw(t, "pattern"), ".")
			if b := bound[key]; b != nil {
				r = r.without(topology, b, true)
				delete(bound, key)
				continue
			}
			args := rapid.SampledFrom([]string{"", "yes", "no"}).Draw(t, "arguments")
			q := &Queue{spec: QueueSpec{Name: key}}
			bound[key] = newBinding(bindingKey{"x", key, args}, q, false, Pattern)
			r = r.with(topology, bound[key], unbound)
		}
		topology.addresses = topology.addresses.with(seed, "x", r)
		key := plain.Draw(t, "key")
		got, _ := topology.Route(nil, "x", strings.Join(key, "."))
		some, _ := topology.RouteMatch(nil, "x", strings.Join(key, "."), func(b Binding) bool {
			return string(b.Arguments) == "yes"
		})
		want, wantSome := 0, 0
		for pattern, b := range bound {
			if matchWords(strings.Split(pattern, "."), key) {
				want++
				if b.key.args != "no" {
					wantSome++
				}
				if !slices.Contains(got, b.queue) {
					t.Fatalf("%s is not led to by %v", pattern, key)
				}
			}
		}
		if len(got) != want || len(some) != wantSome {
			t.Fatalf("%d queues and %d, want %d and %d", len(got), len(some), want, wantSome)
		}
	})
}

// TestPatternBound shows that no set of bindings makes a match explode.
func TestPatternBound(t *testing.T) {
	t.Parallel()
	var p *pattern
	seed := maphash.MakeSeed()
	p = p.with(seed, strings.Repeat("#.a.", 60)+"b", func(l crowd) crowd {
		return l.with(seed, &Queue{})
	})
	if got := p.match(seed, nil, strings.Repeat("a.", 100)+"a"); len(got) != 0 {
		t.Fatal("matched")
	}
}

func TestRouteDoesNotAllocate(t *testing.T) {
	topology := &Topology{seed: maphash.MakeSeed()}
	q := &Queue{}
	topology.queues = topology.queues.with(topology.seed, "q", q)
	for name, kind := range map[string]AddressKind{"d": Direct, "f": Fanout, "p": Pattern} {
		b := newBinding(bindingKey{name, "a.b", "args"}, q, false, kind)
		r := (&route{address: Address{Name: name, Kind: kind}}).with(topology, b, unbound)
		topology.addresses = topology.addresses.with(topology.seed, name, r)
	}
	dst := make([]*Queue, 0, 4)
	for _, c := range [][2]string{{"", "q"}, {"d", "a.b"}, {"f", "a.b"}, {"p", "a.b"}} {
		n := testing.AllocsPerRun(100, func() {
			if got, ok := topology.Route(dst, c[0], c[1]); !ok || len(got) != 1 {
				t.Fatalf("%q leads to %d queues", c, len(got))
			}
			yes := func(Binding) bool { return true }
			if got, ok := topology.RouteMatch(dst, c[0], c[1], yes); !ok || len(got) != 1 {
				t.Fatalf("%q leads to %d queues", c, len(got))
			}
		})
		if n > 0 {
			t.Errorf("route over %q: %v allocations", c[0], n)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r ring[int]
		var want []int
		for i := range rapid.IntRange(0, 200).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 7).Draw(t, "op"); {
			case op == 6:
				at := rapid.IntRange(0, len(want)).Draw(t, "at")
				r.insert(at, i)
				want = slices.Insert(want, at, i)
			case op == 7 && len(want) > 0:
				at := rapid.IntRange(0, len(want)-1).Draw(t, "at")
				r.remove(at)
				want = slices.Delete(want, at, at+1)
			case op < 2:
				r.pushBack(i)
				want = append(want, i)
			case op < 4:
				r.pushFront(i)
				want = append([]int{i}, want...)
			case len(want) == 0:
			case op == 4:
				if got := r.popFront(); got != want[0] {
					t.Fatalf("popped %d, want %d", got, want[0])
				}
				want = want[1:]
			default:
				if got := r.popBack(); got != want[len(want)-1] {
					t.Fatalf("popped %d, want %d", got, want[len(want)-1])
				}
				want = want[:len(want)-1]
			}
		}
		if r.len() != len(want) {
			t.Fatalf("%d elements, want %d", r.len(), len(want))
		}
		for i := range want {
			if *r.at(i) != want[i] {
				t.Fatalf("element %d is %d, want %d", i, *r.at(i), want[i])
			}
		}
	})
}
