package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// openDataLog opens a trail with data events in shard 1.
func openDataLog(t *testing.T) (*Log, store.Shard) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 3})
	db, shards := openState(t, e, 3)
	l, err := Open(t.Context(), db, shards[2], 2, Config{Data: []DataShard{{shards[1], 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, shards[1]
}

// putData stores data events as the owner of their shard does.
func putData(t *testing.T, l *Log, s store.Shard, events ...*Event) {
	t.Helper()
	var b store.Batch
	durable, err := l.Put(1, &b, events)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	s.Propose(&b, func(_ store.Position, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	durable()
}

// rowsOf gives the store keys of a shard's events and of their index.
func rowsOf(t *testing.T, s store.Shard, table control.Table) (keys [][]byte) {
	t.Helper()
	snap := s.Snapshot()
	it := snap.Iter([]byte{byte(table)}, []byte{byte(table) + 1})
	for it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	if err := errors.Join(it.Err(), it.Close(), snap.Close()); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestExpireData: data events stay as long as their account and Region want them; of a
// scope whose newest event is damaged nothing goes that is wanted.
func TestExpireData(t *testing.T) {
	t.Parallel()
	l, shard := openDataLog(t)
	const day = 24 * time.Hour
	now, long := testTime(0), "444455556666"
	from := func(account, region string) time.Time {
		if account == long && region == testRegion {
			return now.Add(-365 * day)
		}
		return now.Add(-90 * day)
	}
	n := 0
	for _, scope := range [][2]string{
		{long, testRegion}, {long, "eu-west-1"}, {testAccount, testRegion},
	} {
		for _, age := range []int{400, 100, 10} {
			e := event(n, now.Add(-time.Duration(age)*day))
			e.EventName, e.EventID = "PublishMessage", fmt.Sprint(scope[1], " ", age)
			e.RecipientAccountID, e.AWSRegion = scope[0], scope[1]
			putData(t, l, shard, e)
			n++
		}
	}
	entries := len(rowsOf(t, shard, control.TableEventIndex)) / n
	left := func(want map[string][]string) {
		t.Helper()
		total := 0
		for scope, ids := range want {
			q := Query{Account: scope[:12], Region: scope[12:], Attribute: "EventName",
				Value: "PublishMessage"}
			if got := all(t, l, q); !slices.Equal(got, ids) {
				t.Errorf("%s: %q, want %q", scope, got, ids)
			}
			total += len(ids)
		}
		if got := len(rowsOf(t, shard, control.TableEventIndex)); got != total*entries {
			t.Errorf("%d entries of the index, want %d", got, total*entries)
		}
	}
	want := map[string][]string{
		long + testRegion:        {testRegion + " 10", testRegion + " 100"},
		long + "eu-west-1":       {"eu-west-1 10"},
		testAccount + testRegion: {testRegion + " 10"},
	}
	if n, err := l.ExpireData(t.Context(), from); n != 5 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	left(want)
	if n, err := l.ExpireData(t.Context(), from); n != 0 || err != nil {
		t.Errorf("again: %d removed, %v", n, err)
	}
	for _, key := range rowsOf(t, shard, control.TableEvent) {
		if placeTime(key).Equal(now.Add(-10 * day)) {
			overwrite(t, shard, key, []byte("no box"))
		}
	}
	if n, err := l.ExpireData(t.Context(), from); n != 0 || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("with damage: %d removed, %v", n, err)
	}
	if n := len(rowsOf(t, shard, control.TableEvent)); n != 4 {
		t.Errorf("%d events are left", n)
	}
}
