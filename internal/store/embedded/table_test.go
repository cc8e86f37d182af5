package embedded

import (
	"bytes"
	"fmt"
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// TestTableForgets: of a key that was inserted and deleted nothing is left, of one that
// may be below a mark is; a range that was emptied hides what is below, and is one with
// its neighbours.
func TestTableForgets(t *testing.T) {
	t.Parallel()
	tab := newTable(store.Position{})
	set := func(key string, inserted bool) {
		tab.set(key, nil, []byte("v"), seglog.Ref{}, inserted)
	}
	expect := func(what string, rows, spans int) {
		t.Helper()
		if tab.rows.Len() != rows || tab.spans.Len() != spans {
			t.Errorf("%s: %d rows, %d spans", what, tab.rows.Len(), tab.spans.Len())
		}
	}
	set("new", true)
	set("new", false)
	tab.drop("new")
	expect("a new key", 0, 0)
	set("old", false)
	tab.drop("old")
	expect("an old key", 1, 0)
	set("old", true) // what is below is still there
	tab.drop("old")
	expect("an old key again", 1, 0)
	tab.dropRange("a", "c")
	tab.dropRange("e", "g")
	tab.dropRange("x", "b")
	expect("two ranges", 1, 2)
	set("b", false)
	tab.drop("b")
	tab.drop("f")
	expect("keys in ranges", 1, 2)
	tab.dropRange("c", "e")
	expect("the range between", 1, 1)
	tab.dropRange("o", "p")
	expect("a range over a row", 0, 2)
	for key, hidden := range map[string]bool{"a": true, "d": true, "g": false, "old": true} {
		if r, known := tab.get(key); known != hidden || r.kind != rowDeleted {
			t.Errorf("%s: %+v, %v", key, r, known)
		}
	}
}

// TestTableView: a view stands still, and small values are in it.
func TestTableView(t *testing.T) {
	t.Parallel()
	tab := newTable(store.Position{})
	for n := range 1000 {
		value := bytes.Repeat([]byte("v"), n%2*(maxInline+1))
		tab.set(fmt.Sprintf("%04d", n), nil, value, seglog.Ref{Segment: 1, Offset: uint32(n)}, true)
	}
	view := tab.view()
	tab.dropRange("0", "1")
	tab.set("0001", nil, []byte("new"), seglog.Ref{}, false)
	for n := range 1000 {
		r, known := view.get(fmt.Sprintf("%04d", n))
		want := row{kind: rowInline, fresh: true}
		if n%2 == 1 {
			value := bytes.Repeat([]byte("v"), maxInline+1)
			want = row{
				kind: rowLogged, fresh: true, at: seglog.Ref{Segment: 1, Offset: uint32(n)},
				size: maxInline + 1, sum: checksum(value),
			}
		}
		if !known || r != want {
			t.Fatalf("%d: %+v, want %+v", n, r, want)
		}
	}
	if r, _ := tab.get("0001"); r.inline != "new" || tab.count() != 2 {
		t.Errorf("%+v, %d things", r, tab.count())
	}
}
