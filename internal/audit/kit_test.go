package audit

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	testAccount = "111122223333"
	testRegion  = "us-west-2"
	testEpoch   = 1_700_000_000
)

// openState opens the first n shards of an engine, and what is in the first of them.
func openState(t testing.TB, e store.Engine, n int) (*control.DB, []store.Shard) {
	t.Helper()
	shards := make([]store.Shard, n)
	for i := range shards {
		var err error
		if shards[i], err = e.Open(t.Context(), store.ShardID(i)); err != nil {
			t.Fatal(err)
		}
	}
	root := bytes.Repeat([]byte{1}, seal.KeySize)
	db, err := control.Open(t.Context(), shards[0], root, control.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return db, shards
}

// openLog opens a trail over the first and last of the engine's two shards.
func openLog(t testing.TB, e store.Engine) *Log {
	t.Helper()
	db, shards := openState(t, e, 2)
	l, err := Open(t.Context(), db, shards[1], 1, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func newLog(t testing.TB) (*Log, *memory.Engine) {
	t.Helper()
	e := memory.New(memory.Config{Shards: 2})
	return openLog(t, e), e
}

func testTime(micros int64) time.Time { return time.UnixMicro(testEpoch*1e6 + micros).UTC() }

// event makes a small event whose id is the number.
func event(n int, at time.Time) *Event {
	return &Event{
		EventVersion: "1.08", EventTime: at, EventSource: "kms.amazonaws.com",
		EventName: "DescribeKey", AWSRegion: testRegion, RecipientAccountID: testAccount,
		EventID: fmt.Sprintf("id-%04d", n), ReadOnly: true, EventType: "AwsApiCall",
		EventCategory: "Management", ManagementEvent: true,
		UserIdentity: Identity{Type: "Root", AccountID: testAccount},
	}
}

// add puts an event into shard 0 with an effect, or into the last one.
func add(t testing.TB, l *Log, e *Event, effect bool) {
	t.Helper()
	var err error
	if effect {
		err = l.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
			return l.Append(tx, e)
		})
	} else {
		err = l.Record(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// all pages through everything that q finds and gives the events' ids.
func all(t testing.TB, l *Log, q Query) (ids []string) {
	t.Helper()
	if q.Account == "" {
		q.Account, q.Region = testAccount, testRegion
	}
	limit := q.Limit
	if limit == 0 {
		limit = MaxLookup
	}
	for {
		events, next, err := l.Lookup(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) > limit || next != nil && len(events) < limit {
			t.Fatalf("page of %d events, limit %d, more: %v", len(events), limit, next != nil)
		}
		for _, e := range events {
			ids = append(ids, e.EventID)
		}
		if next == nil {
			return ids
		}
		q.After = next
	}
}
