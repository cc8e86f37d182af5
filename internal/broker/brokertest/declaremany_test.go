package brokertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/store/memory"
)

// manyBindings bind q0 to q9 in every way, some of them twice, and some of what is not
// there.
func manyBindings() (list []broker.Binding) {
	for i := range 10 {
		q := fmt.Sprint("q", i)
		for _, b := range []broker.Binding{
			{Source: "direct", Key: "a"}, {Source: "direct", Key: "a"},
			{Source: "direct", Key: fmt.Sprint("k", i%3)}, {Source: "fanout"},
			{Source: "pattern", Key: fmt.Sprintf("x.%d.#", i%2)},
			{Source: "direct", Key: "args", Arguments: []byte{byte(i % 2)}},
			{Source: "direct", Key: "args", Arguments: []byte{7}},
			{Source: "matched", Arguments: []byte{byte(i)}}, {Source: "hashed", Key: "1"},
			{Source: "none", Key: "a"},
		} {
			b.Queue = q
			list = append(list, b)
		}
	}
	return append(list, broker.Binding{Source: "direct", Queue: "none", Key: "a"})
}

func manySpecs() (list []broker.QueueSpec) {
	for i := range 10 {
		list = append(list, broker.QueueSpec{
			Name: fmt.Sprint("q", i), Durable: i%3 > 0, Arguments: []byte{byte(i)},
			Limits: broker.Limits{MaxLength: broker.AtMost(int64(i + 1))},
		})
	}
	return list
}

// reached shows which queues messages of all kinds lead to.
func reached(n *broker.Namespace) (list []string) {
	asks := broker.Guide{Match: func(b broker.Binding) bool { return len(b.Arguments) == 1 }}
	for _, way := range [][2]string{
		{"direct", "a"}, {"direct", "k0"}, {"direct", "k2"}, {"fanout", ""},
		{"pattern", "x.1.y"}, {"direct", "args"}, {"matched", ""}, {"hashed", "z"}, {"", "q3"},
	} {
		queues, _ := n.Topology().RouteBy(nil, way[0], way[1], &asks)
		var names []string
		for _, q := range queues {
			names = append(names, q.Spec().Name)
		}
		slices.Sort(names)
		list = append(list, fmt.Sprint(way, names))
	}
	for _, b := range n.Bindings() {
		list = append(list, fmt.Sprint(b.Source, b.Queue, b.Key, b.Arguments))
	}
	slices.Sort(list)
	return list
}

// manyWorld has an address of each kind, and the queue q4 already.
func manyWorld(t *testing.T, disk *memory.Engine) *World {
	t.Helper()
	w := Start(t, disk, NewDomain(), broker.Config{})
	for name, kind := range map[string]broker.AddressKind{
		"direct": broker.Direct, "fanout": broker.Fanout, "pattern": broker.Pattern,
		"matched": broker.Matched, "hashed": broker.Hashed,
	} {
		_, _, err := w.Namespace.DeclareAddress(t.Context(), broker.Address{
			Name: name, Kind: kind, Durable: name != "fanout",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Declare(nil, broker.QueueSpec{Name: "q4"})
	return w
}

// TestDeclareMany: what is declared and bound in one change is the same as one by one,
// also after a restart.
func TestDeclareMany(t *testing.T) {
	t.Parallel()
	single, many := memory.New(memory.Config{Shards: 3}), memory.New(memory.Config{Shards: 3})
	one, all := manyWorld(t, single), manyWorld(t, many)
	for _, s := range manySpecs() {
		if s.Name != "q4" {
			one.Declare(nil, s)
		}
	}
	for _, b := range manyBindings() {
		err := one.Namespace.Bind(t.Context(), b)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			t.Fatal(err)
		}
	}
	made, err := all.Namespace.DeclareQueues(t.Context(), append(manySpecs(), manySpecs()...))
	if err != nil || len(made) != 9 || all.Queue("q7").Limits().MaxLength.N != 8 {
		t.Fatalf("%d queues, %v", len(made), err)
	}
	for range 2 {
		if err := all.Namespace.BindQueues(t.Context(), manyBindings()); err != nil {
			t.Fatal(err)
		}
	}
	for _, restarted := range []bool{false, true} {
		if a, b := reached(one.Namespace), reached(all.Namespace); !slices.Equal(a, b) {
			t.Errorf("restarted %v:\n%q\nwant\n%q", restarted, b, a)
		}
		if restarted {
			break
		}
		for disk, w := range map[*memory.Engine]**World{single: &one, many: &all} {
			d := (*w).Domain
			if err := (*w).Stop(); err != nil {
				t.Fatal(err)
			}
			*w = Start(t, disk, d, broker.Config{})
		}
	}
	for _, w := range []*World{one, all} {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestDeclareManyRefused: nothing is made when one cannot be, nor when the disk fails.
func TestDeclareManyRefused(t *testing.T) {
	t.Parallel()
	disk := memory.New(memory.Config{Shards: 3})
	w := manyWorld(t, disk)
	before := reached(w.Namespace)
	refuse := func(what string, err error, kind fault.Kind) {
		t.Helper()
		if fault.KindOf(err) != kind || err == nil || !slices.Equal(before, reached(w.Namespace)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	declare := func(more ...broker.QueueSpec) error {
		_, err := w.Namespace.DeclareQueues(t.Context(), append(manySpecs(), more...))
		return err
	}
	refuse("no name", declare(broker.QueueSpec{}), fault.Invalid)
	refuse("limits", declare(broker.QueueSpec{Name: "x",
		Limits: broker.Limits{Delay: -1}}), fault.Invalid)
	refuse("exclusive", declare(broker.QueueSpec{Name: "x", Exclusive: true}), fault.Internal)
	err := w.Namespace.SetQuota(t.Context(), broker.Quota{MaxQueues: broker.AtMost(9)})
	if err != nil {
		t.Fatal(err)
	}
	refuse("quota", declare(), fault.Exhausted)
	refuse("weight", w.Namespace.BindQueues(t.Context(), []broker.Binding{
		{Source: "direct", Queue: "q4", Key: "a"}, {Source: "hashed", Queue: "q4", Key: "x"},
	}), fault.Invalid)
	if err := w.Namespace.SetQuota(t.Context(), broker.Quota{}); err != nil {
		t.Fatal(err)
	}
	disk.FailBatch(0, 1, errors.New("power is off"))
	refuse("disk", declare(), fault.Internal)
	image := Start(t, disk.Image()(), w.Domain, broker.Config{})
	if _, ok := image.Namespace.Topology().Queue("q1"); ok {
		t.Error("a queue is there that was refused")
	}
	if err := image.Stop(); err != nil {
		t.Error(err)
	}
	w.Stop() // of a disk that failed
}
