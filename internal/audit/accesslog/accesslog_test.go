package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	home  = "000000000000"
	other = "111111111111"
)

// world is a trail, and a reader of it as it is stored.
type world struct {
	*testing.T
	engine *memory.Engine
	log    *audit.Log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, engine: memory.New(memory.Config{Shards: 2})}
	var shards [2]store.Shard
	for i := range shards {
		var err error
		shards[i], err = w.engine.Open(t.Context(), store.ShardID(i))
		w.must(err)
	}
	db, err := control.Open(t.Context(), shards[0], bytes.Repeat([]byte{1}, seal.KeySize),
		control.Config{})
	w.must(err)
	w.log, err = audit.Open(t.Context(), db, shards[1], 1, audit.Config{
		Heads: &audit.HeadConfig{Every: time.Hour, Logger: slog.New(slog.DiscardHandler)}})
	w.must(err)
	t.Cleanup(w.log.Close)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// at is a moment of the trail.
func at(second int) time.Time { return time.Date(2026, 2, 27, 22, 0, second, 0, time.UTC) }

// record puts an event of a queue on the trail of an account and, when that is not the
// queue's owner, its copy on the owner's.
func (w *world) record(id, account, queue string, second int, whole bool) {
	w.Helper()
	q, _ := parseQueue(queue)
	e := &audit.Event{EventTime: at(second), EventSource: source, EventName: "SendMessage",
		AWSRegion: q.region, RecipientAccountID: account, EventID: id, EventCategory: "Data",
		UserIdentity: audit.Identity{ARN: "arn:aws:iam::" + account + ":root", AccountID: account},
		Resources:    []audit.Resource{{AccountID: q.account, Type: queueType, ARN: queue}}}
	if account != q.account {
		e.SharedEventID = "shared-" + id
		c := *e
		c.EventID, c.RecipientAccountID = id+"-copy", q.account
		c.UserIdentity = audit.Identity{Type: "AWSAccount", AccountID: account}
		w.must(w.log.Record(w.Context(), &c))
	}
	if whole {
		w.must(w.log.Record(w.Context(), e))
	}
}

// write gives the ids of the events of the lines.
func (w *world) write(cfg Config, out *bytes.Buffer) string {
	w.Helper()
	open := func(id store.ShardID) store.Snapshot {
		s, err := w.engine.Image()().Open(w.Context(), id)
		w.must(err)
		return s.Snapshot()
	}
	base := open(0)
	defer base.Close()
	state, err := control.Inspect(base, bytes.Repeat([]byte{1}, seal.KeySize))
	w.must(err)
	defer state.Close()
	r := &audit.Reader{State: state, Shards: []store.ShardID{0, 1}, Open: open}
	w.must(Write(w.Context(), r, out, cfg))
	var ids []string
	for line := range strings.Lines(out.String()) {
		ids = append(ids, split(w.T, strings.TrimSuffix(line, "\n"))[18])
	}
	return strings.Join(ids, " ")
}

// TestWrite_D04: lines are in the order of time over accounts and Regions; what two trails
// tell of is told once, by the fuller one; filters are those of queues.
func TestWrite_D04(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orders := "arn:aws:sqs:us-east-1:" + home + ":orders"
	distant := "arn:aws:sqs:eu-west-1:" + home + ":orders"
	w.record("e", home, orders, 5, true)
	w.record("a", home, orders, 1, true)
	w.record("b", other, orders, 2, true)
	w.record("c", other, orders, 3, false)
	w.record("d", home, distant, 4, true)
	w.record("f", other, "arn:aws:sqs:us-east-1:"+other+":invoices", 6, true)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "a b c-copy d e f"},
		{Config{Queue: "orders"}, "a b c-copy d e"},
		{Config{Queue: orders}, "a b c-copy e"},
		{Config{Queue: "order"}, ""},
		{Config{Account: other}, "f"},
		{Config{Account: home, Region: "eu-west-1"}, "d"},
		{Config{From: at(2), Until: at(5)}, "b c-copy d"},
		{Config{From: at(7)}, ""},
	} {
		if got := w.write(c.cfg, &bytes.Buffer{}); got != c.want {
			t.Errorf("%+v: %q, want %q", c.cfg, got, c.want)
		}
	}
}

// TestSameMoment_D04: no event is lost or told twice when many are of one moment.
func TestSameMoment_D04(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for n := range 20 {
		id := fmt.Sprintf("id-%02d", n)
		want = append(want, id)
		account := []string{home, other}[n%2]
		w.record(id, account, "arn:aws:sqs:us-east-1:"+home+":orders", n/8, true)
	}
	got := strings.Fields(w.write(Config{}, &bytes.Buffer{}))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// full takes no more.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestWriteFails: lines that could not be written end the log with the reason.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record("a", other, "arn:aws:sqs:us-east-1:"+home+":orders", 1, true)
	w.record("b", home, "arn:aws:sqs:us-east-1:"+home+":orders", 2, true)
	open := func(id store.ShardID) store.Snapshot {
		s, err := w.engine.Image()().Open(w.Context(), id)
		w.must(err)
		return s.Snapshot()
	}
	state, err := control.Inspect(open(0), bytes.Repeat([]byte{1}, seal.KeySize))
	w.must(err)
	defer state.Close()
	r := &audit.Reader{State: state, Shards: []store.ShardID{0, 1}, Open: open}
	if err := Write(t.Context(), r, full{}, Config{}); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}
