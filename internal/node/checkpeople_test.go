package node

import (
	"context"
	"strings"
	"testing"

	"coffer/internal/control"
)

// TestCheckPeople: a check of a directory finds what users and roles lack.
func TestCheckPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	report, err := Check(t.Context(), w.cfg)
	if err != nil || len(report.Damage) > 0 {
		t.Fatalf("a whole directory: %v, %+v", err, report)
	}
	w.start()
	err = w.n.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		tx.Put(control.TableIAMName, tx.MAC("iam/name", "nobody"), []byte("AIDANOBODY"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	report, err = Check(t.Context(), w.cfg)
	if err != nil || len(report.Damage) != 1 ||
		!strings.Contains(report.Damage[0].Problem, "1 names of IAM are of nothing") {
		t.Errorf("%v, %+v", err, report)
	}
}
