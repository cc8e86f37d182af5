package broker

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// net is a topology in the making, without a namespace.
type net struct {
	*Topology
	ends map[string]*Queue
}

func newNet() *net {
	return &net{&Topology{seed: maphash.MakeSeed()}, map[string]*Queue{}}
}

func (n *net) address(name string, kind AddressKind, alternate string) {
	a := Address{Name: name, Kind: kind, Alternate: alternate}
	n.addresses = n.addresses.with(n.seed, name, &route{address: a})
}

// end gives the queue of a name or, of >name, the signpost.
func (n *net) end(name string) *Queue {
	q := n.ends[name]
	if q == nil {
		q = &Queue{spec: QueueSpec{Name: name}}
		if name[0] == '>' {
			q.spec.Name, q.post = name[1:], true
		}
		n.ends[name] = q
	}
	return q
}

func (n *net) bind(from, to, key string) *binding {
	r, _ := n.addresses.get(n.seed, from)
	b := newBinding(bindingKey{from, key, ""}, n.end(to), false, r.address.Kind)
	n.addresses = n.addresses.with(n.seed, from, r.with(n.Topology, b, unbound))
	return b
}

func (n *net) route(address, key string, g *Guide) []string {
	var names []string
	list, _ := n.RouteBy(nil, address, key, g)
	for _, q := range list {
		names = append(names, q.spec.Name)
	}
	slices.Sort(names)
	return names
}

// TestOnwardModel compares routes over any web of addresses with a search that is
// slow and simple.
func TestOnwardModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := newNet()
		names := []string{"a", "b", "c", "d", "e"}
		keys := []string{"k", "l", "m"}
		kinds := map[string]AddressKind{}
		alternates := map[string]string{}
		for _, name := range names {
			kinds[name] = rapid.SampledFrom([]AddressKind{Direct, Fanout, Pattern}).Draw(t, "kind")
			next := rapid.SampledFrom([]string{"", "", "a", "b", "z"}).Draw(t, "alternate")
			alternates[name] = next
			n.address(name, kinds[name], next)
		}
		type edge struct{ from, to, key string }
		var edges []edge
		for range rapid.IntRange(0, 14).Draw(t, "bindings") {
			e := edge{
				rapid.SampledFrom(names).Draw(t, "from"),
				rapid.SampledFrom([]string{"x", "y", ">a", ">b", ">c", ">d", ">e"}).Draw(t, "to"),
				rapid.SampledFrom(keys).Draw(t, "key"),
			}
			if !slices.Contains(edges, e) {
				edges = append(edges, e)
				n.bind(e.from, e.to, e.key)
			}
		}
		sent := rapid.SliceOfN(rapid.SampledFrom(keys), 1, 2).Draw(t, "sent")
		want := map[string]bool{}
		seen := map[string]bool{"a": true}
		for todo := []string{"a"}; len(todo) > 0; todo = todo[1:] {
			var next []string
			for _, e := range edges {
				if e.from == todo[0] && (kinds[e.from] == Fanout || slices.Contains(sent, e.key)) {
					next = append(next, e.to)
				}
			}
			if x := alternates[todo[0]]; len(next) == 0 && kinds[x] != 0 {
				next = append(next, ">"+x)
			}
			for _, to := range next {
				switch {
				case to[0] != '>':
					want[to] = true
				case !seen[to[1:]]:
					seen[to[1:]] = true
					todo = append(todo, to[1:])
				}
			}
		}
		got := n.route("a", sent[0], &Guide{Keys: sent[1:]})
		if len(got) != len(want) {
			t.Fatalf("%v leads to %v, want %v", sent, got, want)
		}
		for _, name := range got {
			if !want[name] {
				t.Fatalf("%v leads to %v, want %v", sent, got, want)
			}
		}
	})
}

// TestFarRoutesDoNotAllocate follows signposts and an alternate.
func TestFarRoutesDoNotAllocate(t *testing.T) {
	n := newNet()
	n.address("a", Direct, "b")
	n.address("b", Fanout, "")
	n.address("c", Pattern, "")
	n.address("h", Hashed, "")
	n.bind("b", ">c", "")
	n.bind("b", ">h", "")
	n.bind("c", "x", "k.#")
	n.bind("h", "y", "2")
	dst := make([]*Queue, 0, 8)
	g := &Guide{
		Match: func(Binding) bool { return true },
		Hash:  func(Address) ([]byte, bool) { return nil, true },
	}
	allocs := testing.AllocsPerRun(100, func() {
		if got, ok := n.RouteBy(dst, "a", "k.l", g); !ok || len(got) != 2 {
			t.Fatal(got, ok)
		}
		if got, ok := n.Route(dst, "a", "k.l"); !ok || len(got) != 2 {
			t.Fatal(got, ok)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestManyAddresses leads through more addresses than are searched one by one.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	n := newNet()
	n.address("a", Fanout, "")
	for i := range 200 {
		name := fmt.Sprint("x", i)
		n.address(name, Fanout, "")
		n.bind("a", ">"+name, "")
		n.bind(name, ">a", "")
		n.bind(name, fmt.Sprint("q", i/2), "")
	}
	if got := n.route("a", "", &Guide{}); len(got) != 100 {
		t.Errorf("%d queues", len(got))
	}
}

// TestSpread gives keys to bindings by their weights, moves only what must move when
// one comes or goes, and does the same after the order changed.
func TestSpread(t *testing.T) {
	t.Parallel()
	n := newNet()
	n.address("h", Hashed, "")
	n.bind("h", "x", "1")
	n.bind("h", "y", "3")
	z := n.bind("h", ">z", "4")
	const keys = 40000
	before, share := make([]*Queue, keys), map[*Queue]float64{}
	r, _ := n.addresses.get(n.seed, "h")
	for i := range before {
		list := r.spread(nil, fmt.Sprint("key-", i))
		if len(list) != 1 {
			t.Fatalf("%d bindings", len(list))
		}
		before[i] = list[0]
		share[list[0]]++
	}
	for name, want := range map[string]float64{"x": 1. / 8, "y": 3. / 8, ">z": 4. / 8} {
		if got := share[n.ends[name]] / keys; math.Abs(got-want) > 0.02 {
			t.Errorf("%s has %.3f, want %.3f", name, got, want)
		}
	}
	r = r.without(n.Topology, z, true)
	slices.Reverse(r.hashed)
	for i, q := range before {
		got := r.spread(nil, fmt.Sprint("key-", i))[0]
		if q != n.ends[">z"] && got != q {
			t.Fatalf("key %d moved", i)
		}
	}
	// It must be the same in the next process.
	for key, want := range map[string]string{"key-0": "y", "key-7": "y"} {
		if got := r.spread(nil, key)[0].spec.Name; got != want {
			t.Errorf("%s went to %s", key, got)
		}
	}
}

// BenchmarkRoute is the way of most messages, and one over another address.
func BenchmarkRoute(b *testing.B) {
	n := newNet()
	n.address("d", Direct, "")
	n.address("f", Fanout, "")
	n.bind("d", "x", "k")
	n.bind("f", ">d", "")
	dst := make([]*Queue, 0, 8)
	for _, name := range []string{"d", "f"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n.Route(dst, name, "k")
			}
		})
	}
}
