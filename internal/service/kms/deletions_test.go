package kms

import "testing"

// TestDeletions lists keys that wait for their end, and no others.
func TestDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rotated := w.key("root", object{})
	w.must("root", "EnableKeyRotation", object{"KeyId": rotated, "RotationPeriodInDays": 90}, nil)
	late, soon := w.key("root", object{}), w.key("root", object{})
	w.manyGrants(soon, 2)
	begin := w.now
	for name, days := range map[string]int{late: 30, soon: 7} {
		w.must("root", "ScheduleKeyDeletion",
			object{"KeyId": name, "PendingWindowInDays": days}, nil)
	}
	list, err := w.svc.Deletions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Deletion{{soon, begin.Add(7 * day), 2}, {late, begin.Add(30 * day), 0}}
	if len(list) != 2 || list[0].ARN != want[0].ARN || list[0].Grants != 2 ||
		list[0].At.Sub(want[0].At).Abs() > day || list[1].ARN != want[1].ARN {
		t.Errorf("got %v, want about %v", list, want)
	}
	w.must("root", "CancelKeyDeletion", object{"KeyId": late}, nil)
	w.now = w.now.Add(8 * day) // the other is over, swept or not
	if list, err = w.svc.Deletions(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("then %v, %v", list, err)
	}
}
