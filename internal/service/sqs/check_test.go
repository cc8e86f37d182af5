package sqs

import (
	"context"
	"strings"
	"testing"

	"coffer/internal/control"
)

// TestCheck finds rows that say of each other what is not so.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("orders", nil)
	check := func(change func(tx *control.Tx)) (found []string) {
		t.Helper()
		must(t, w.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
			at := tx.Savepoint()
			change(tx)
			c := &Check{}
			tell := func(_ string, err error) { found = append(found, err.Error()) }
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
			tx.Rollback(at)
			return nil
		}))
		return found
	}
	key := &keyRow{Number: managedKey, Account: home, Region: here}
	orders := address{realmName{home, here}, "orders"}
	for want, change := range map[string]func(tx *control.Tx){
		"": func(*control.Tx) {},
		"row version 0": func(tx *control.Tx) {
			tx.Put(control.TableSQS, rowID(tx, orders), []byte("{}"))
		},
		"the queue has no data key": func(tx *control.Tx) {
			tx.Delete(control.TableSQSKey, keyID(tx, key))
		},
		"the queue has another name": func(tx *control.Tx) {
			v, _, _ := tx.Get(control.TableSQS, rowID(tx, orders))
			tx.Put(control.TableSQS, make([]byte, 16), v)
		},
		"the data key is of another account": func(tx *control.Tx) {
			v, _, _ := tx.Get(control.TableSQSKey, keyID(tx, key))
			tx.Put(control.TableSQSKey, make([]byte, 20), v)
		},
	} {
		found := check(change)
		if want == "" && len(found) > 0 ||
			want != "" && (len(found) != 1 || !strings.Contains(found[0], want)) {
			t.Errorf("%s: %q", want, found)
		}
	}
}
