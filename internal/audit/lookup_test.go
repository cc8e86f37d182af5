package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
	"coffer/internal/store/memory"
)

// TestPaging compares lookups with a sorted list: many events at few times in
// both shards, pages of any size, with and without an attribute and bounds.
func TestPaging(t *testing.T) {
	t.Parallel()
	type entry struct {
		e      *Event
		effect bool
		order  int
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := memory.New(memory.Config{Shards: 2})
		l := openLog(t, e)
		defer l.Close()
		var list []entry
		for n := range rapid.IntRange(0, 40).Draw(rt, "events") {
			micros := rapid.SampledFrom([]int64{0, 1, 999_999, 1_000_000, 5_000_000}).Draw(rt, "at")
			ev := event(n, testTime(micros))
			ev.EventName = rapid.SampledFrom([]string{"Encrypt", "Decrypt"}).Draw(rt, "name")
			effect := rapid.Bool().Draw(rt, "effect")
			add(t, l, ev, effect)
			list = append(list, entry{ev, effect, n})
		}
		slices.SortFunc(list, func(a, b entry) int {
			if c := b.e.EventTime.Compare(a.e.EventTime); c != 0 {
				return c
			}
			if a.effect != b.effect { // shard 0 goes first
				return cmp.Compare(fmt.Sprint(b.effect), fmt.Sprint(a.effect))
			}
			return cmp.Compare(b.order, a.order)
		})
		for range 6 {
			q := Query{Limit: rapid.IntRange(1, 12).Draw(rt, "limit")}
			if rapid.Bool().Draw(rt, "attribute") {
				q.Attribute, q.Value = "EventName", "Decrypt"
			}
			if rapid.Bool().Draw(rt, "from") {
				q.From = testTime(rapid.Int64Range(-1e6, 7e6).Draw(rt, "from at"))
			}
			if rapid.Bool().Draw(rt, "to") {
				q.To = testTime(rapid.Int64Range(-1e6, 7e6).Draw(rt, "to at"))
			}
			var want []string
			for _, x := range list {
				second := x.e.EventTime.Unix()
				if (q.Attribute == "" || x.e.EventName == q.Value) &&
					(q.From.IsZero() || second >= q.From.Unix()) &&
					(q.To.IsZero() || second <= q.To.Unix()) {
					want = append(want, x.e.EventID)
				}
			}
			if got := all(t, l, q); !slices.Equal(got, want) {
				rt.Fatalf("%+v: %v, want %v", q, got, want)
			}
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	add(t, l, event(1, time.Unix(0, 0)), false)
	add(t, l, event(2, testTime(500_000)), true)
	both := []string{"id-0002", "id-0001"}
	old, far := time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64>>1, 0)
	for name, c := range map[string]struct {
		q    Query
		want []string
	}{
		"none":                {Query{}, both},
		"from 1970":           {Query{From: time.Unix(0, 0)}, both},
		"from before 1970":    {Query{From: time.Unix(-1, 0)}, both},
		"from long ago":       {Query{From: old}, both},
		"from year 1":         {Query{From: time.Time{}.Add(1)}, both},
		"from far ahead":      {Query{From: far}, nil},
		"to far ahead":        {Query{To: far}, both},
		"to 1970":             {Query{To: time.Unix(0, 0)}, both[1:]},
		"to before 1970":      {Query{To: time.Unix(-1, 0)}, nil},
		"to long ago":         {Query{To: old}, nil},
		"its second":          {Query{From: testTime(900_000), To: testTime(0)}, both[:1]},
		"the second after":    {Query{From: testTime(1_000_000)}, nil},
		"the second before":   {Query{To: testTime(-1)}, both[1:]},
		"from after to":       {Query{From: testTime(9_000_000), To: testTime(0)}, nil},
		"limit over the most": {Query{Limit: 1 << 40}, both},
		"negative limit":      {Query{Limit: -1}, both},
	} {
		c.q.Limit = min(c.q.Limit, 1<<40)
		c.q.Account, c.q.Region = testAccount, testRegion
		events, next, err := l.Lookup(t.Context(), c.q)
		var got []string
		for _, e := range events {
			got = append(got, e.EventID)
		}
		if err != nil || next != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, %v; want %v", name, got, next, err, c.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	const arn = "arn:aws:kms:us-west-2:111122223333:key/1"
	for i, effect := range []bool{true, false} {
		e := event(i, testTime(int64(i)))
		e.UserIdentity = Identity{Type: "IAMUser", UserName: "al\xffice", AccessKeyID: "AKIA1"}
		key := Resource{testAccount, "AWS::KMS::Key", arn}
		e.Resources = []Resource{key, key}
		e.ReadOnly = !effect
		add(t, l, e, effect)
		other := event(10+i, testTime(int64(i)))
		other.EventName, other.EventSource, other.ReadOnly = "Other", "mq.amazonaws.com", !effect
		add(t, l, other, effect)
	}
	for _, c := range []struct{ name, value, want string }{
		{"EventId", "id-0000", "id-0000"}, {"EventId", "id-000", ""}, {"EventId", "", ""},
		{"EventName", "DescribeKey", "id-0001 id-0000"}, {"EventName", "describekey", ""},
		{"EventSource", "mq.amazonaws.com", "id-0011 id-0010"},
		{"ReadOnly", "true", "id-0011 id-0001"}, {"ReadOnly", "false", "id-0010 id-0000"},
		{"Username", "al\xffice", "id-0001 id-0000"}, {"Username", "root", "id-0011 id-0010"},
		{"AccessKeyId", "AKIA1", "id-0001 id-0000"},
		{"ResourceName", arn, "id-0001 id-0000"}, {"ResourceName", "1", "id-0001 id-0000"},
		{"ResourceType", "AWS::KMS::Key", "id-0001 id-0000"},
		{"ResourceName", arn[:len(arn)-1], ""}, {"NoSuch", "x", ""},
	} {
		got := all(t, l, Query{Attribute: c.name, Value: c.value, Limit: 1})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s=%q: %v, want %s", c.name, c.value, got, c.want)
		}
	}
}

// TestIsolation: no account or Region sees another's events, whatever cursor it
// brings.
func TestIsolation(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	var cursor []byte
	for i, account := range []string{"111111111111", "222222222222"} {
		for j, region := range []string{"eu-west-1", "eu-west-2"} {
			for k := range 4 {
				e := event(i*100+j*10+k, testTime(int64(k)))
				e.RecipientAccountID, e.AWSRegion = account, region
				add(t, l, e, k%2 == 0)
			}
		}
	}
	q := Query{Account: "111111111111", Region: "eu-west-1", Limit: 2}
	if _, next, err := l.Lookup(t.Context(), q); err != nil || next == nil {
		t.Fatal(err)
	} else {
		cursor = next
	}
	for _, after := range [][]byte{nil, cursor} {
		for _, attribute := range []string{"", "EventName"} {
			q := Query{
				Account: "222222222222", Region: "eu-west-2", After: after,
				Attribute: attribute, Value: "DescribeKey",
			}
			got := all(t, l, q)
			if want := 4 - len(after)/cursorSize*2; len(got) != want {
				t.Errorf("%d events, want %d", len(got), want)
			}
			for _, id := range got {
				if !strings.HasPrefix(id, "id-011") {
					t.Errorf("sees %s", id)
				}
			}
		}
	}
	if got := all(t, l, Query{Account: "333333333333", Region: "eu-west-1"}); len(got) != 0 {
		t.Errorf("an account without events sees %v", got)
	}
}

func FuzzCursor(f *testing.F) {
	l, _ := newLog(f)
	for i := range 6 {
		add(f, l, event(i, testTime(int64(i/2))), i%2 == 0)
	}
	_, next, err := l.Lookup(f.Context(), Query{Account: testAccount, Region: testRegion, Limit: 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(next)
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, cursorSize))
	f.Add(append(bytes.Repeat([]byte{0xff}, placeSize), 1))
	f.Add(make([]byte, cursorSize))
	f.Fuzz(func(t *testing.T, after []byte) {
		if after == nil {
			return
		}
		good := len(after) == cursorSize && after[placeSize] < 2
		_, _, err := l.Lookup(context.Background(),
			Query{Account: testAccount, Region: testRegion, After: after, Limit: 2})
		if good && err != nil || !good && fault.KindOf(err) != fault.Invalid {
			t.Errorf("cursor %x: %v", after, err)
		}
		if good {
			seen := map[string]bool{}
			for _, id := range all(t, l, Query{After: after, Limit: 1}) {
				if seen[id] {
					t.Errorf("cursor %x gives %s twice", after, id)
				}
				seen[id] = true
			}
		}
	})
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for start := range 3 {
		e, err := embedded.Open(embedded.Config{Dir: dir, Shards: 2})
		if err != nil {
			t.Fatal(err)
		}
		l := openLog(t, e)
		for i := range 4 {
			ev := event(start*4+i, testTime(int64(start*4+i)))
			add(t, l, ev, i%2 == 0)
			want = slices.Insert(want, 0, ev.EventID)
		}
		if got := all(t, l, Query{Limit: 3}); !slices.Equal(got, want) {
			t.Errorf("start %d: %v, want %v", start, got, want)
		}
		l.Close()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryStoredByte flips each byte of the rows of an event without effects:
// Lookup names the damage, and never passes over it.
func TestEveryStoredByte(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	add(t, l, event(1, testTime(0)), false)
	add(t, l, event(2, testTime(1)), false)
	var rows [][2][]byte
	snap := l.shard.Snapshot()
	it := snap.Iter([]byte{byte(control.TableEvent)}, []byte{byte(control.TableEvent) + 1})
	for it.Next() {
		rows = append(rows, [2][]byte{bytes.Clone(it.Key()), bytes.Clone(it.Value())})
	}
	if it.Err() != nil || it.Close() != nil || snap.Close() != nil || len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	set := func(key, value []byte) {
		t.Helper()
		var b store.Batch
		if b.Set(key, value); value == nil {
			b.Reset()
			b.Delete(key)
		}
		done := make(chan error, 1)
		l.shard.Propose(&b, func(_ store.Position, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	damaged := func(what string, q Query) {
		t.Helper()
		q.Account, q.Region = testAccount, testRegion
		events, _, err := l.Lookup(t.Context(), q)
		if !errors.Is(err, store.ErrDamaged) || len(events) != 0 ||
			!strings.Contains(err.Error(), fmt.Sprintf("%x", rows[0][0][1:])) {
			t.Errorf("%s: %d events, %v", what, len(events), err)
		}
	}
	key, value := rows[0][0], rows[0][1]
	for i := range value {
		bad := bytes.Clone(value)
		bad[i] ^= 1 << (i % 8)
		set(key, bad)
		damaged(fmt.Sprintf("byte %d", i), Query{})
	}
	set(key, rows[1][1])
	damaged("the row of another event", Query{})
	set(key, nil)
	damaged("an indexed event that is missing", Query{Attribute: "EventName", Value: "DescribeKey"})
	set(key, value)
	if got := all(t, l, Query{}); len(got) != 2 {
		t.Errorf("repaired: %v", got)
	}
	// An index entry that was copied under another attribute.
	mac := l.attribute(testAccount, testRegion, "EventName", "DeleteKey")
	set(rowKey(control.TableEventIndex, append(mac, key[17:]...)), []byte{})
	_, _, err := l.Lookup(t.Context(), Query{
		Account: testAccount, Region: testRegion, Attribute: "EventName", Value: "DeleteKey"})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a forged index entry: %v", err)
	}
}

func TestNumbersStay(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	e := event(1, testTime(123_456))
	e.RequestParameters = map[string]any{
		"big": uint64(math.MaxUint64), "in": map[string]any{"f": 1.5},
	}
	add(t, l, e, false)
	events, _, err := l.Lookup(t.Context(), Query{Account: testAccount, Region: testRegion})
	if err != nil || len(events) != 1 {
		t.Fatal(len(events), err)
	}
	text, err := json.Marshal(events[0])
	want := `"requestParameters":{"big":18446744073709551615,"in":{"f":1.5}}`
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s, %v; want %s in it", text, err, want)
	}
	if at := events[0].EventTime; !at.Equal(testTime(0)) {
		t.Errorf("time %v is not to the second", at)
	}
}
