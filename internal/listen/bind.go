package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"coffer/internal/fault"
)

// portTries bounds the search for a port that is free on every address.
const portTries = 32

// resolve says what to bind and refuses plaintext on anything but loopback.
func resolve(cfg *Config) ([]netip.Addr, error) {
	if cfg.Port < 0 || cfg.Port > 65535 {
		return nil, fault.New(fault.Invalid,
			"port %d of %s: not from 0 to 65535", cfg.Port, cfg.Name)
	}
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if cfg.Address == "" || cfg.Address == "localhost" {
		return []netip.Addr{four, six}, nil
	}
	a, err := netip.ParseAddr(cfg.Address)
	if err != nil {
		return nil, fault.New(fault.Invalid,
			"listen address %q of %s: neither an IP address nor localhost", cfg.Address, cfg.Name)
	}
	a = a.Unmap()
	switch {
	case a == four || a == six:
		return []netip.Addr{four, six}, nil
	case cfg.TLS == nil && !a.IsLoopback():
		return nil, fault.New(fault.Invalid,
			"listen address %s of %s: without TLS only a loopback address is allowed", a, cfg.Name)
	}
	return []netip.Addr{a}, nil
}

// bind opens a socket for each address, all on one port. The machine may lack
// one family of addresses, but not every one.
func bind(cfg *Config, addresses []netip.Addr) ([]net.Listener, error) {
	for try := 1; ; try++ {
		sockets, err := bindAll(cfg, addresses)
		if cfg.Port == 0 && errors.Is(err, syscall.EADDRINUSE) && try < portTries {
			continue // the port that one address gave is taken on the other
		}
		return sockets, err
	}
}

func bindAll(cfg *Config, addresses []netip.Addr) ([]net.Listener, error) {
	var sockets []net.Listener
	var lacking error
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}}
	port := uint16(cfg.Port)
	for _, a := range addresses {
		at := netip.AddrPortFrom(a, port)
		s, err := lc.Listen(context.Background(), "tcp", at.String())
		if lacksFamily(err) && len(addresses) > 1 {
			lacking = err
			continue
		}
		if err != nil {
			for _, s := range sockets {
				s.Close()
			}
			return nil, explain(cfg, at, err)
		}
		sockets = append(sockets, s)
		port = s.Addr().(*net.TCPAddr).AddrPort().Port()
	}
	if len(sockets) == 0 {
		return nil, explain(cfg, netip.AddrPortFrom(addresses[0], port), lacking)
	}
	return sockets, nil
}

// lacksFamily reports whether the machine does not have the address.
func lacksFamily(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// explain says what the operator can do.
func explain(cfg *Config, at netip.AddrPort, err error) error {
	advice := ""
	if cfg.Flag != "" {
		advice = "; choose another with " + cfg.Flag
	}
	doing := fmt.Sprintf("listen on %s for %s", at, cfg.Name)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Wrap(fault.Conflict, err, doing+": the port is in use"+advice)
	case errors.Is(err, syscall.EACCES):
		return fault.Wrap(fault.Denied, err, doing+": the system does not allow this port"+advice)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
