package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// A Port is what a process is to listen on.
type Port struct {
	Name, Flag string
	Address    string // an IP address
	Number     int    // 1 to 65535
}

// CheckFree looks whether the ports can be had; nothing listens on them afterwards.
func CheckFree(ctx context.Context, r *Report, ports []Port) {
	const id = "port.taken"
	r.Look(id)
	for _, p := range ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp",
			net.JoinHostPort(p.Address, strconv.Itoa(p.Number)))
		switch {
		case err == nil:
			l.Close()
		case errors.Is(err, syscall.EADDRINUSE):
			r.Find(id, Error, "stop it, or choose another with "+p.Flag,
				"port %d, for %s, is taken%s", p.Number, p.Name, holder(p.Number))
		case errors.Is(err, syscall.EACCES):
			r.Find(id, Error, "choose a port from 1024 on with "+p.Flag+
				", or give the right to lower ones (CAP_NET_BIND_SERVICE)",
				"port %d, for %s, is not for this user", p.Number, p.Name)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			r.Find(id, Error, "name an address of this machine with --listen",
				"this machine has no address %s, for %s", p.Address, p.Name)
		default:
			r.Find(id, Error, "choose another with "+p.Flag, "%s", fmt.Sprint(err))
		}
	}
}

// CheckPublic notes where others can reach the process.
func CheckPublic(r *Report, address string) {
	const id = "port.public"
	r.Look(id)
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().IsLoopback() {
		return
	}
	r.Find(id, Note, "let a firewall admit only who needs them",
		"the ports are open to other machines, by %s", a)
}
