package management

import (
	"fmt"
	"reflect"
	"testing"

	"coffer/internal/broker"
)

// TestLazyLists: a list that is written as it is made, or of which only a page is made,
// is the one that is made as a whole.
func TestLazyLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, vhost := range []string{"a", "b"} {
		if rec := w.ask("guest", "PUT", "/api/vhosts/"+vhost, ""); rec.Code != 201 {
			t.Fatal(rec.Code, rec.Body)
		}
		ns, _ := w.broker.Namespace(vhost)
		for i := range 150 {
			spec := broker.QueueSpec{Name: fmt.Sprintf("q%03d", (i*7)%150), Durable: true}
			if _, _, err := ns.DeclareQueue(t.Context(), nil, spec); err != nil {
				t.Fatal(err)
			}
		}
	}
	const what = "/api/queues?disable_stats=true"
	list := func(query string) []object {
		return value[[]object](t, w.ask("guest", "GET", what+query, ""))
	}
	whole := list("&sort=durable") // equal for all, so that the order is the first one
	if lazy := list(""); len(lazy) != 300 || !reflect.DeepEqual(lazy, whole) {
		t.Errorf("%d queues, %d when made as a whole, or others", len(lazy), len(whole))
	}
	byName := list("&sort=name&sort_reverse=true&columns=vhost,name")
	for i, want := range []string{"b q149", "a q149", "b q148"} {
		if got := fmt.Sprint(byName[i]["vhost"], " ", byName[i]["name"]); got != want {
			t.Errorf("%d by name, reversed: %s, not %s", i, got, want)
		}
	}
	for _, sort := range []string{"", "&sort=durable"} {
		p := value[object](t, w.ask("guest", "GET",
			what+"&page=2&page_size=7&name=q01&columns=vhost,name"+sort, ""))
		items := p["items"].([]any)
		if p["filtered_count"] != 20.0 || p["page_count"] != 3.0 || len(items) != 7 {
			t.Fatalf("page: %v", p)
		}
		if x := items[3].(object); x["vhost"] != "b" || x["name"] != "q010" {
			t.Errorf("fourth of the page: %v", x)
		}
	}
}
