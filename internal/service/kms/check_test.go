package kms

import (
	"context"
	"errors"
	"strings"
	"testing"

	"coffer/internal/control"
)

// tablesOfKeys are those that Check compares.
var tablesOfKeys = []control.Table{
	control.TableKey, control.TableMaterial, control.TableAlias, control.TableGrant,
	control.TableGrantIndex, control.TableRotation, control.TableKeyUse,
}

// problems is what a check says of the state in a unit of work.
func problems(t *testing.T, tx *control.Tx) (list []string) {
	t.Helper()
	c := &Check{}
	damaged := func(row string, err error) { list = append(list, row+": "+err.Error()) }
	for _, table := range tablesOfKeys {
		err := tx.Scan(table, nil, func(id, value []byte) error {
			c.Row(table, id, value, damaged)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Done(tx, damaged)
	return list
}

// TestCheck: a check finds nothing wrong with all that operations leave behind,
// and misses every row that is taken away, but for last uses and the names of
// grants, which not every grant with a name has.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.svc.cfg.MaxGrants = 2000
	w.much()
	errUndo := errors.New("undo")
	missed := 0
	for _, table := range tablesOfKeys {
		var ids [][]byte
		err := w.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
			if list := problems(t, tx); len(list) != 0 {
				t.Fatalf("nothing is wrong, but: %s", strings.Join(list, "\n"))
			}
			return tx.Scan(table, nil, func(id, _ []byte) error {
				ids = append(ids, id)
				return nil
			})
		})
		if err != nil || len(ids) == 0 {
			t.Fatal(table, len(ids), err)
		}
		step := max(1, len(ids)/40) // of the half swept key's many grants a few are enough
		for i := 0; i < len(ids); i += step {
			err := w.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
				tx.Delete(table, ids[i])
				named := table == control.TableGrantIndex && ids[i][0] == grantByName
				if len(problems(t, tx)) == 0 && table != control.TableKeyUse && !named {
					t.Errorf("%s is not missed", rowName(table, ids[i]))
				}
				missed++
				return errUndo
			})
			if !errors.Is(err, errUndo) {
				t.Fatal(err)
			}
		}
	}
	if missed < 50 {
		t.Errorf("%d rows were tried", missed)
	}
}

// much leaves keys in all states with all that they can have.
func (w *world) much() {
	w.t.Helper()
	w.flush()
	if _, err := w.svc.EnsureManaged(w.t.Context(), home, here, "mq"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.svc.EnsureOwned(w.t.Context(), "mq", here); err != nil {
		w.t.Fatal(err)
	}
	rich := w.key("root", object{"Tags": []object{{"TagKey": "a", "TagValue": "b"}}})
	for _, alias := range []string{"alias/one", "alias/two"} {
		w.must("root", "CreateAlias", object{"AliasName": alias, "TargetKeyId": rich}, nil)
	}
	w.must("root", "EnableKeyRotation", object{"KeyId": rich}, nil)
	w.manyGrants(rich, 3)
	w.must("root", "CreateGrant", object{
		"KeyId": rich, "GranteePrincipal": someUser, "Operations": []string{"Encrypt"},
	}, nil)
	w.do("alice", "Encrypt", `{"KeyId":"`+rich+`","Plaintext":"aGk="}`)
	w.must("root", "RotateKeyOnDemand", object{"KeyId": rich}, nil)
	w.key("root", object{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
	half := w.key("root", object{})
	w.must("root", "CreateAlias", object{"AliasName": "alias/half", "TargetKeyId": half}, nil)
	w.manyGrants(half, sweptGrants+2)
	w.must("root", "ScheduleKeyDeletion", object{"KeyId": half, "PendingWindowInDays": 7}, nil)
	w.now = w.now.Add(7 * day)
	for range 2 {
		if more, err := w.svc.step(w.t.Context(), idOf(half)); !more || err != nil {
			w.t.Fatal(more, err)
		}
	}
	later := w.key("root", object{})
	w.must("root", "ScheduleKeyDeletion", object{"KeyId": later}, nil)
	w.flush()
}
