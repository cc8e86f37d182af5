package gateway

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// TestUsed: who is told of the use of access keys hears of every request that they
// signed, allowed or not, and of no other, when it is done; and can fail its answer.
func TestUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var heard []string
	var fail error
	w.gw.cfg.Used = func(_ context.Context, key, service, region string) error {
		heard = append(heard, key+" "+service+" "+region)
		if key == "ROOT" && !w.stored("a") {
			t.Error("told before the call")
		}
		return fail
	}
	forged := put("Put", `{"Name":"a"}`)
	forged.secret = "another"
	w.do(forged)
	denied := put("Put", `{"Name":"a"}`)
	denied.who = "BOB"
	w.do(denied)
	w.do(put("Put", `{"Name":"a"}`))
	want := []string{"BOB toy " + here, "ROOT toy " + here}
	if len(heard) != 2 || heard[0] != want[0] || heard[1] != want[1] {
		t.Errorf("heard %q, want %q", heard, want)
	}
	fail = errors.New("no")
	if rec := w.do(put("Put", `{"Name":"b"}`)); rec.Code != http.StatusInternalServerError {
		t.Errorf("status %d", rec.Code)
	}
}
