package iam

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/iam"
)

// TestReport: the credential report tells of keys and devices of every user and of
// the root user, for some hours after it was asked for.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(home), t.Context()
	must(t, w.svc.EnsureRoot(ctx, home, func(AccessKey) error { return nil }))
	key := w.user("alice")
	w.user("bob")
	k := w.token("phone")
	must(t, k.enable("bob"))
	get := func() (*api.GetCredentialReportOutput, error) {
		return root.GetCredentialReport(ctx, &api.GetCredentialReportInput{})
	}
	_, err := get()
	want(t, err, "ReportNotPresent", "")
	must(t, second(root.GenerateCredentialReport(ctx, &api.GenerateCredentialReportInput{})))
	must(t, w.svc.NoteUse(ctx, key.AccessKeyId, "mq", "eu-west-1"))
	out, err := get()
	must(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(out.Content))).ReadAll()
	must(t, err)
	if len(rows) != 4 || rows[1][0] != "<root_account>" || rows[1][8] != "true" ||
		rows[2][0] != "alice" || rows[3][0] != "bob" {
		t.Fatalf("%q", rows)
	}
	if a := rows[2]; a[7] != "false" || a[8] != "true" || a[11] != "eu-west-1" || a[12] != "mq" ||
		a[13] != "false" || a[10] != stamp(w.now) {
		t.Errorf("%q", a)
	}
	if rows[3][7] != "true" || rows[3][10] != "N/A" {
		t.Errorf("%q", rows[3])
	}
	w.now = w.now.Add(reportFor + time.Second)
	_, err = get()
	want(t, err, "ReportExpired", "")
}
