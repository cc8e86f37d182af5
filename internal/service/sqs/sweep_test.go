package sqs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/store"
)

// sweep removes data keys; fn is called in between, once messages were read.
func (w *world) sweep(fn func()) {
	w.t.Helper()
	_, err := w.svc.SweepKeys(w.t.Context(), func(context.Context, store.ShardID, int) error {
		if fn != nil {
			fn()
		}
		return nil
	})
	must(w.t, err)
}

// numbers gives those of the stored data keys, which must be the ones in memory.
func (w *world) numbers() (list []uint32) {
	w.t.Helper()
	must(w.t, w.db.View(w.t.Context(), func(_ context.Context, tx *control.Tx) error {
		return scanKeys(tx, func(k *keyRow) { list = append(list, k.Number) })
	}))
	slices.Sort(list)
	realm := w.svc.realms[realmName{home, here}]
	realm.mu.RLock()
	defer realm.mu.RUnlock()
	if got := slices.Sorted(maps.Keys(realm.keys)); !slices.Equal(got, list) {
		w.t.Errorf("in memory %v, stored %v", got, list)
	}
	return list
}

// sendEach sends bodies, each under a data key of its own.
func (w *world) sendEach(url string, bodies ...string) {
	w.t.Helper()
	for _, b := range bodies {
		w.pass(5 * time.Minute)
		w.send(url, b)
	}
}

func (w *world) left(want ...uint32) {
	w.t.Helper()
	w.sweep(nil)
	if got := w.numbers(); !slices.Equal(got, want) {
		w.t.Errorf("data keys %v are left, want %v", got, want)
	}
}

func (w *world) delete(url string, m object) {
	w.t.Helper()
	w.do("DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m["ReceiptHandle"]})
}

// TestSweep: a data key goes when no message has it, also one that is leased, delayed, or
// a dead letter of a queue that is gone; over restarts and crashes.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := w.create("dead", nil)
	set := sseKMS(w.key(""))
	maps.Copy(set, redriving("dead", 1))
	url := w.create("orders", set)
	w.sendEach(url, "2", "3", "4")
	w.pass(5 * time.Minute)
	w.do("SendMessage", object{"QueueUrl": url, "MessageBody": strings.Repeat("5", 600<<10),
		"DelaySeconds": 900})
	w.sendEach(url, "6", "7")
	w.left(1, 2, 3, 4, 5, 6, 7)
	w.delete(url, w.one(url, nil))
	w.one(url, object{"VisibilityTimeout": 1}) // 3 becomes a dead letter
	w.one(url, object{"VisibilityTimeout": 3600})
	w.pass(time.Second)
	w.until(func() bool { return w.count(dead) == 1 })
	w.crash()
	w.left(1, 3, 4, 5, 6, 7)
	w.do("PurgeQueue", object{"QueueUrl": url})
	w.left(1, 3, 7) // the queue would go on with 7
	w.restart()
	w.sendEach(url, "8")
	w.left(1, 3, 8)
	w.do("DeleteQueue", object{"QueueUrl": url})
	w.svc.closing.Wait()
	w.left(1, 3)
	w.crash()
	m := w.one(dead, nil)
	if m["Body"] != "3" {
		t.Errorf("dead letter %v", m)
	}
	w.delete(dead, m)
	w.left(1)
	url = w.create("orders", set)
	w.sendEach(url, "4")
	w.left(1, 4) // a number that no message has is good again
	w.await(url, "4")
}

// TestSweepLarge: the parts of a large message have the data key of its head, whoever
// makes another one meanwhile.
func TestSweepLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", sseKMS(w.key("")))
	body := strings.Repeat("x", 600<<10)
	for range 3 {
		w.pass(5 * time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.send(url, body)
		}()
		w.send(url, body)
		<-done
	}
	w.sweep(nil)
	left := w.numbers()
	w.restart()
	for range 6 {
		if m := w.one(url, nil); m["Body"] != body {
			t.Fatalf("%d bytes", len(m["Body"].(string)))
		}
	}
	if len(left) != 4 {
		t.Errorf("data keys %v", left)
	}
}

// TestSweepBesideMoves: whatever goes from where was not looked yet to where was, within a
// shard or by parcel, keeps its data key.
func TestSweepBesideMoves(t *testing.T) {
	t.Parallel()
	for round := range 8 {
		w := newWorld(t)
		dead := w.create("dead", nil)
		set := sseKMS(w.key(""))
		maps.Copy(set, redriving("dead", 1))
		var urls []string
		for i := range 4 { // in both shards, and before and behind the other queue
			urls = append(urls, w.create(fmt.Sprint("orders", i), set))
		}
		url := urls[round%4]
		w.kill(url, dead, "a")
		w.sendEach(url, "b") // so that the queue is read, too, and half the time first
		moved := false
		w.sweep(func() {
			if !moved {
				moved = true
				w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + "dead"})
				w.until(func() bool { return w.count(url) == 2 })
			}
		})
		if !moved {
			t.Fatal("nothing was read")
		}
		w.await(url, "b", "a")
	}
}

// TestSweepBesideSends: a sweep waits for what is being sent, and no data key goes that a
// queue has just made.
func TestSweepBesideSends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := sseKMS(w.key(""))
	set["KmsDataKeyReusePeriodSeconds"] = "60"
	url := w.create("orders", set)
	stop, done := make(chan struct{}), make(chan int)
	for range 4 {
		go func() {
			n := 0
			for ; ; n++ {
				select {
				case <-stop:
					done <- n
					return
				default:
					w.send(url, "a")
				}
			}
		}()
	}
	for range 4 { // signatures are good for five minutes
		w.pass(time.Minute)
		for range 5 {
			w.sweep(nil)
		}
	}
	close(stop)
	sent := 0
	for range 4 {
		sent += <-done
	}
	w.restart()
	for n := 0; n < sent; {
		for _, m := range w.receive(url, object{"WaitTimeSeconds": 20}) {
			w.delete(url, m)
			n++
		}
	}
}

// TestCheckKeys: a check sees messages whose data key is missing, and data keys that
// nobody needs.
func TestCheckKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", sseKMS(w.key("")))
	w.sendEach(url, "2", "3", "4")
	c := &Check{}
	var in broker.NamespaceID
	must(t, w.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
		tell := func(row string, err error) { t.Errorf("%s: %v", row, err) }
		for _, table := range []control.Table{control.TableSQS, control.TableSQSKey} {
			err := tx.Scan(table, nil, func(id, value []byte) error {
				c.Row(table, id, value, tell)
				return nil
			})
			if err != nil {
				return err
			}
		}
		c.Done(tx, tell)
		return scanRows(tx, func(r *row) { in = r.namespace() })
	}))
	for number, want := range map[uint32]string{
		1: "", 3: "", 5: "its data key 5 is missing: nothing can open it",
	} {
		if err := c.DataKey(in, number); (err == nil) != (want == "") ||
			err != nil && err.Error() != want {
			t.Errorf("number %d: %v", number, err)
		}
	}
	if err := c.DataKey(broker.NamespaceID{}, 0); err != nil {
		t.Errorf("of another namespace: %v", err)
	}
	if n := c.Leftover(); n != 1 { // 2; the queue would go on with 4
		t.Errorf("%d left over", n)
	}
}

// TestSweepNotOpen: nothing goes while a queue is not open, for nobody sees its messages.
func TestSweepNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.create("orders", sseKMS(w.key("")))
	w.sendEach(url, "2", "3")
	w.delete(url, w.one(url, nil))
	q := w.svc.queues[address{realmName{home, here}, "orders"}]
	p := q.place.Swap(nil)
	none := func(context.Context, store.ShardID, int) error { return nil }
	if n, err := w.svc.SweepKeys(t.Context(), none); n != 0 || err == nil {
		t.Errorf("%d data keys removed, %v", n, err)
	}
	q.place.Store(p)
	w.left(1, 3)
}
