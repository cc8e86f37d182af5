package rabbitmq

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"coffer/internal/fault"
)

// TestAdmit: how many connections and channels a virtual host and a user may have.
func TestAdmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx := t.Context()
	_, err := b.PutVhost(ctx, Vhost{Name: "a"})
	must(t, err)
	in := func(user, vhost string) func() {
		t.Helper()
		leave, err := b.Admit(user, vhost, func(string) {})
		must(t, err)
		return leave
	}
	full := func(user, vhost, text string) {
		t.Helper()
		_, err := b.Admit(user, vhost, func(string) {})
		refused(t, err, fault.Exhausted, text)
	}
	first := in("admin", "a")
	must(t, b.SetVhostLimit(ctx, "a", MaxConnections, 1))
	full("admin", "a",
		"access to vhost 'a' refused for user 'admin': connection limit (1) is reached")
	in("admin", "/")()
	first()
	first() // counts once
	second := in("admin", "a")
	full("other", "a", "connection limit (1)")
	must(t, b.SetVhostLimit(ctx, "a", MaxConnections, -1))
	in("other", "a")()
	must(t, b.SetVhostLimit(ctx, "a", MaxConnections, 0))
	full("other", "a", "connection limit (0)")
	must(t, b.ClearVhostLimit(ctx, "a", MaxConnections))
	must(t, b.SetUserLimit(ctx, "admin", MaxConnections, 1))
	full("admin", "/", "connection refused for user 'admin': user connection limit (1) is reached")
	in("admin", "none")() // Open says what is wrong
	second()
	in("admin", "/")()

	one, err := b.AdmitChannel("admin")
	must(t, err)
	must(t, b.SetUserLimit(ctx, "admin", MaxChannels, 1))
	_, err = b.AdmitChannel("admin")
	refused(t, err, fault.Exhausted, "number of channels opened for user 'admin' has reached the "+
		"maximum allowed user limit of (1)")
	two, err := b.AdmitChannel("other")
	must(t, err)
	two()
	one()
	one()
	again, err := b.AdmitChannel("admin")
	must(t, err)
	again()
	if n := len(b.guests.channels) + len(b.guests.vhosts) + len(b.guests.users); n != 0 {
		t.Errorf("left: %+v", b.guests.channels)
	}
}

// TestEvict: who is asked to leave when a user or a virtual host goes.
func TestEvict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx := t.Context()
	_, err := b.PutVhost(ctx, Vhost{Name: "a"})
	must(t, err)
	_, err = b.PutUser(ctx, UserSpec{Name: "u"})
	must(t, err)
	var mu sync.Mutex
	var ended []string
	for _, user := range []string{"admin", "u"} {
		for _, vhost := range []string{"/", "a"} {
			_, err := b.Admit(user, vhost, func(reason string) {
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, fmt.Sprint(user, " ", vhost, ": ", reason))
			})
			must(t, err)
		}
	}
	see := func(want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(ended)
		if !slices.Equal(ended, want) {
			t.Errorf("%q, want %q", ended, want)
		}
		ended = nil
	}
	must(t, b.DeleteUser(ctx, "u"))
	see("u /: user 'u' is deleted", "u a: user 'u' is deleted")
	must(t, b.DeleteVhost(ctx, "a"))
	see("admin a: vhost 'a' is deleted", "u a: vhost 'a' is deleted")
}

// TestMaxQueues: the limit is kept by the namespace, and after a restart.
func TestMaxQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, b := opened(t, w)
	ns, _ := b.Namespace("/")
	must(t, b.SetVhostLimit(t.Context(), "/", MaxQueues, 3))
	if q := ns.Quota().MaxQueues; !q.Set || q.N != 3 {
		t.Errorf("%+v", q)
	}
	_, err := w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	b, err = w.eng.Open(t.Context(), id, w.domain(t, id))
	must(t, err)
	must(t, b.SetVhostLimit(t.Context(), "/", MaxQueues, -1))
	if q := ns.Quota().MaxQueues; q.Set {
		t.Errorf("%+v", q)
	}
}
