package broker

import (
	"slices"
	"testing"
	"time"
)

// TestSwiftLetters: a settlement overtakes what other sessions publish, but nothing of its
// own session.
func TestSwiftLetters(t *testing.T) {
	t.Parallel()
	sh := &shard{core: &Core{cfg: Config{BatchBytes: 1 << 20}}, batch: &batch{}}
	sh.linger = time.AfterFunc(time.Hour, func() {})
	defer sh.linger.Stop()
	sh.mail.open(10)
	a, b := &Session{shard: sh}, &Session{shard: sh}
	settle := func(s *Session, n int) { sh.mail.settle(s, make([]Settlement, n)) }
	took := func(h *hand, kinds ...requestKind) {
		t.Helper()
		var got []requestKind
		for ; !h.empty(); sh.step(h) {
			got = append(got, h.requests[h.at.request].kind)
		}
		if !slices.Equal(got, kinds) {
			t.Errorf("letters %v, want %v", got, kinds)
		}
	}
	plain := request{kind: reqLimit, limit: &Limit{}}
	for range 2 {
		plain.s = a
		if err := sh.mail.post(plain); err != nil {
			t.Fatal(err)
		}
		settle(a, 1)
		settle(b, 2)
		if !sh.mail.swap(&sh.swift, &sh.in) {
			t.Fatal("nothing came")
		}
		settle(b, 3) // comes with the next
		if sh.mail.swap(&sh.swift, &sh.in) {
			t.Error("letters came while there are some in hand")
		}
		took(&sh.swift, reqSettle)
		took(&sh.in, reqLimit, reqSettle)
		settle(a, 1) // nothing else of it is left
		if !sh.mail.swap(&sh.swift, &sh.in) || !sh.in.empty() {
			t.Error("a settlement waits though its session has nothing before it")
		}
		took(&sh.swift, reqSettle, reqSettle)
	}
}
