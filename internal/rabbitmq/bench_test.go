package rabbitmq

import (
	"fmt"
	"testing"
)

// permitted makes a broker with many users, of whom u has the patterns that are said to
// be usual.
func permitted(t *testing.T) *Broker {
	t.Helper()
	w := newWorld(t)
	_, b := opened(t, w)
	d := Definitions{}
	tags := Tags{}
	for i := range 1000 {
		name := fmt.Sprint("user-", i)
		d.Users = append(d.Users, DefinedUser{Name: name, Tags: &tags})
		d.Permissions = append(d.Permissions,
			Permission{name, "/", ".*", `^(?!amq\.).*`, "^(orders|audit)-[0-9]+$"})
	}
	must(t, b.Import(t.Context(), d, ""))
	return b
}

// TestPermitAllocates: who may is answered without an allocation, since it is asked for
// nearly every publish.
func TestPermitAllocates(t *testing.T) {
	b := permitted(t)
	for action, name := range map[string]string{
		Configure: "orders-17", Write: "orders-17", Read: "orders-17",
	} {
		n := testing.AllocsPerRun(100, func() {
			if b.Permit("user-500", "/", "queue", name, action) != nil {
				t.Error(action)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", action, n)
		}
	}
}

// BenchmarkPermit asks for a name that all is permitted for, one that is matched by
// backtracking, and one that is matched by the standard library.
func BenchmarkPermit(b *testing.B) {
	s := newState()
	for i := range 1000 {
		name := fmt.Sprint("user-", i)
		p, err := compile(permissionRow{name, "/", ".*", `^(?!amq\.).*`, "^(orders|audit)-[0-9]+$"})
		if err != nil {
			b.Fatal(err)
		}
		u := s.user(name)
		u.known, u.permissions["/"] = true, p
	}
	x := &Broker{}
	x.state.Store(s)
	for _, action := range []string{Configure, Write, Read} {
		b.Run(action, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if x.Permit("user-500", "/", "queue", "orders-17", action) != nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
