package iam

import (
	"context"
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
)

// check reads all rows of the world as a check of a stopped store does.
func (w *world) check() (problems []string) {
	w.t.Helper()
	snap := w.zero.Snapshot()
	defer snap.Close()
	state, err := control.Inspect(snap, worldRoot())
	must(w.t, err)
	defer state.Close()
	c := NewCheck(state)
	_, err = state.Check(w.t.Context(), func(t control.Table, id, value []byte) {
		if err := c.Row(t, id, value); err != nil {
			problems = append(problems, err.Error())
		}
	}, func(row string, err error) { w.t.Errorf("%s: %v", row, err) })
	must(w.t, err)
	for _, err := range c.Relations() {
		problems = append(problems, err.Error())
	}
	return problems
}

// TestCheck: a state that operations made is whole, and each row that is missing or
// does not fit is told.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.furnish()
	root, ctx := w.root(home), t.Context()
	must(t, second(root.CreateServiceLinkedRole(ctx, &api.CreateServiceLinkedRoleInput{
		AWSServiceName: "mq.amazonaws.com"})))
	must(t, second(root.DeleteServiceLinkedRole(ctx, &api.DeleteServiceLinkedRoleInput{
		RoleName: "AWSServiceRoleForAmazonMQ"})))
	must(t, second(root.CreateAccountAlias(ctx, &api.CreateAccountAliasInput{
		AccountAlias: "house"})))
	must(t, second(root.UpdateUser(ctx, &api.UpdateUserInput{
		UserName: "alice", NewUserName: "carol", NewPath: "/x/"})))
	if got := w.check(); len(got) > 0 {
		t.Fatalf("a whole state: %q", got)
	}
	for _, table := range []control.Table{
		control.TableIAM, control.TableIAMName, control.TableIAMLink, control.TableAccessKey,
	} {
		for _, id := range w.rows(table) {
			old := w.swap(table, id, nil)
			if len(w.check()) == 0 {
				t.Errorf("nobody misses entry %x of %s", id, table)
			}
			w.swap(table, id, old)
		}
	}
	for _, id := range w.rows(control.TableIAM) {
		old := w.swap(control.TableIAM, id, []byte("{}"))
		if len(w.check()) == 0 {
			t.Errorf("an empty entry %x is whole", id)
		}
		bad := strings.ReplaceAll(string(old), "Allow", "Maybe")
		w.swap(control.TableIAM, id, []byte(bad))
		if bad != string(old) && len(w.check()) == 0 {
			t.Errorf("a document that nobody can read is whole: %s", bad)
		}
		w.swap(control.TableIAM, id, old)
	}
	if got := w.check(); len(got) > 0 {
		t.Errorf("after all: %q", got)
	}
}

// rows lists the ids of a table.
func (w *world) rows(table control.Table) (ids [][]byte) {
	w.t.Helper()
	must(w.t, w.db.View(w.t.Context(), func(_ context.Context, tx *control.Tx) error {
		return tx.Scan(table, nil, func(id, _ []byte) error {
			ids = append(ids, id)
			return nil
		})
	}))
	return ids
}

// swap replaces a row past the service, or with nil removes it, and gives the old one.
func (w *world) swap(table control.Table, id, value []byte) (old []byte) {
	w.t.Helper()
	must(w.t, w.db.Update(w.t.Context(), func(_ context.Context, tx *control.Tx) (err error) {
		if old, _, err = tx.Get(table, id); value == nil {
			tx.Delete(table, id)
		} else {
			tx.Put(table, id, value)
		}
		return err
	}))
	return old
}
