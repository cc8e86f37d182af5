package brokertest

import (
	"errors"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
)

// checked checks a shard and gives the names of what is damaged.
func checked(t testing.TB, e store.Engine, id store.ShardID) (broker.Checked, []string) {
	t.Helper()
	var names []string
	var snaps []store.Snapshot
	for _, id := range []store.ShardID{0, id} {
		sh, err := e.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		snaps = append(snaps, sh.Snapshot())
	}
	state, err := control.Inspect(snaps[0], make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	anyKey := func(broker.NamespaceID, uint32) error { return nil }
	sum, err := broker.Check(t.Context(), state, snaps[1], id, anyKey, func(row string, err error) {
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v is not told as damage", row, err)
		}
		names = append(names, row+": "+err.Error())
	})
	state.Close()
	if err = errors.Join(err, snaps[0].Close(), snaps[1].Close()); err != nil {
		t.Fatal(err)
	}
	return sum, names
}

// healthy fails when a check finds damage in the queue shards.
func healthy(t testing.TB, e store.Engine) {
	t.Helper()
	for _, id := range []store.ShardID{1, 2} {
		if _, names := checked(t, e, id); len(names) > 0 {
			t.Errorf("shard %d is damaged:\n%s", id, strings.Join(names, "\n"))
		}
	}
}
