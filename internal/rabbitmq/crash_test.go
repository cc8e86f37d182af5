package rabbitmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"coffer/internal/control"
	"coffer/internal/store/memory"
)

// changes are the steps of TestCrash.
func changes(ctx context.Context, b *Broker) []func() error {
	only := func(_ bool, err error) error { return err }
	return []func() error{
		func() error { return only(b.PutVhost(ctx, Vhost{Name: "a"})) },
		func() error { return only(b.PutUser(ctx, UserSpec{Name: "u", Hash: "AAAA"})) },
		func() error { return only(b.PutPermission(ctx, Permission{"u", "a", ".*", "", ""})) },
		func() error {
			return only(b.PutPolicy(ctx, Policy{Vhost: "/", Name: "p", Pattern: "^q",
				Definition: map[string]any{"max-length": 7}}))
		},
		func() error { return b.SetVhostLimit(ctx, "a", MaxQueues, 7) },
		func() error {
			return b.Import(ctx, Definitions{
				Vhosts:      []DefinedVhost{{Name: "b"}, {Name: "c"}},
				Permissions: []Permission{{"u", "b", "", "", ""}},
			}, "")
		},
		func() error { return b.DeleteVhost(ctx, "a") },
		func() error { return b.DeleteUser(ctx, "u") },
		func() error { return b.DeletePolicy(ctx, false, "/", "p") },
	}
}

// TestCrash: whichever batch of a change is the last that reaches the disk, the change is
// there as a whole or not at all at the next start; no namespace is left without its
// virtual host, and queues have the rules of the policies that are there.
func TestCrash(t *testing.T) {
	t.Parallel()
	var states []any // after so many steps
	w := newWorld(t)
	_, b := started(t, w)
	states = append(states, crashState(b))
	for _, do := range changes(t.Context(), b) {
		must(t, do())
		states = append(states, crashState(b))
	}
	for step := range states[1:] {
		for last := 0; crashed(t, states, step, last); last++ {
		}
	}
}

func crashState(b *Broker) any { return []any{shown(b), limitText(b.Limit("/", "q", nil))} }

// started gives a broker with a queue q.
func started(t *testing.T, w *world) (uuid.UUID, *Broker) {
	t.Helper()
	id := w.create(t, nil)
	b, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	declared(t, b, "/", "q", "")
	return id, b
}

// crashed runs the steps up to one, and that with a disk that fails after some batches;
// it reports whether it failed.
func crashed(t *testing.T, states []any, step, last int) bool {
	t.Helper()
	w := newWorldOn(t, memory.New(memory.Config{Shards: 3}), false)
	id, b := started(t, w)
	all := changes(t.Context(), b)
	for _, do := range all[:step] {
		must(t, do())
	}
	w.disk.FailBatch(0, last+1, errors.New("power is off"))
	failed := all[step]() != nil
	what := fmt.Sprintf("step %d, %d batches", step, last)
	if failed && last == 0 && !reflect.DeepEqual(crashState(b), states[step]) {
		t.Errorf("%s: it failed and shows %v", what, crashState(b))
	}
	again := newWorldOn(t, w.disk.Image()(), true)
	b, err := again.eng.Open(t.Context(), id, again.domain(t, id))
	must(t, err)
	want := states[step+1]
	if last == 0 {
		want = states[step]
	}
	if !reflect.DeepEqual(crashState(b), want) {
		t.Errorf("%s: there is %v, not %v", what, crashState(b), want)
	}
	sound(t, again, id, b, what)
	return failed
}

// sound checks what must hold after each start.
func sound(t *testing.T, w *world, id uuid.UUID, b *Broker, what string) {
	t.Helper()
	var namespaces, vhosts int
	must(t, w.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
		err := tx.Scan(control.TableBrokerMeta, []byte("n"), func(id, _ []byte) error {
			if len(id) == 17 {
				namespaces++
			}
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Scan(control.TableRabbit, id[:], func(row, _ []byte) error {
			if bytes.HasPrefix(row[len(id):], []byte{rowVhost}) {
				vhosts++
			}
			return nil
		})
	}))
	if namespaces != vhosts || vhosts != len(b.Vhosts()) {
		t.Errorf("%s: %d namespaces, %d rows, %d vhosts", what, namespaces, vhosts, len(b.Vhosts()))
	}
	for _, v := range b.Vhosts() {
		ns, ok := b.Namespace(v.Name)
		if _, there := ns.Topology().Address("amq.topic"); !ok || !there {
			t.Errorf("%s: vhost %s has no exchanges", what, v.Name)
		}
	}
	ns, _ := b.Namespace("/")
	if q, ok := ns.Topology().Queue("q"); !ok || q.Limits() != b.Limit("/", "q", nil) {
		t.Errorf("%s: the queue does not follow the policies", what)
	}
}
