package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"

	"coffer/internal/fault"
	"coffer/internal/listen"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/telemetry"
)

// RootStatus tells how the root key of a data directory stands.
type RootStatus struct {
	State string `json:"state"` // sealed, serving
	Kind  string `json:"kind"`  // key, passphrase, shares
	// Given and Needed count shares while the process is sealed.
	Given    int             `json:"given,omitempty"`
	Needed   int             `json:"needed,omitempty"`
	Platform *PlatformStatus `json:"platform,omitempty"` // while it serves
}

// The states of RootStatus.
const (
	stateSealed  = "sealed"
	stateServing = "serving"
)

// sealed is a process that waits for the shares of its root key. It has opened nothing.
type sealed struct {
	n   *Node
	key chan seal.Secret // gets the key once

	mu     sync.Mutex
	shares *rootkey.Gathering
	open   bool
}

// unseal waits until enough shares were given, on the socket or the terminal. Meanwhile
// the port of metrics tells that the process is sealed, and no other is open.
func (n *Node) unseal(ctx context.Context, k *rootKeeper) (key seal.Secret, err error) {
	s := &sealed{n: n, key: make(chan seal.Secret, 1), shares: rootkey.NewGathering(k.header)}
	defer s.shares.Drop()
	mux := http.NewServeMux()
	mux.Handle("POST /root", operated(func(context.Context, struct{}) (any, error) {
		return s.status(), nil
	}))
	mux.Handle("POST /unseal", operated(s.give))
	mux.Handle("POST /doctor", operated(s.examine))
	health := s.health()
	mux.Handle("POST /health", tellHealth(health))
	door, err := openOperatorDoor(ctx, n.cfg.Data, mux)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, door.close(context.WithoutCancel(ctx))) }()
	shut, err := s.tell(health)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shut(context.WithoutCancel(ctx))) }()
	asking, stop := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer func() { stop(); asked.Wait() }()
	if n.cfg.Secrets.Prompt != nil {
		asked.Go(func() { s.ask(asking) })
	}
	select {
	case key = <-s.key:
		n.log.Info("the root key was put together")
		return key, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// health is that of a process that waits: it is alive, and serves nothing.
func (s *sealed) health() telemetry.Health {
	state := func(context.Context) error {
		now := s.status()
		return fmt.Errorf("sealed: %d of %d shares of the root key were given", now.Given,
			now.Needed)
	}
	return telemetry.Health{
		Ready: map[string]telemetry.Check{"root key": state},
		Shown: map[string]telemetry.Check{"root key": state},
	}
}

// tell opens the port of metrics, where the state can be read.
func (s *sealed) tell(
	health telemetry.Health,
) (shut func(context.Context) error, err error) {
	n := s.n
	l, err := n.bind(listen.Config{
		Name: metricsName, Address: "127.0.0.1", Port: n.cfg.MetricsPort, Flag: "--metrics-port",
	})
	if err != nil {
		return nil, err
	}
	registry := telemetry.NewRegistry()
	observeSealed(registry).Set(1)
	n.serveHTTP(l, &http.Server{Handler: telemetry.Handler(registry, health, nil)})
	_, needed := s.shares.Given()
	n.log.Warn("sealed: nothing is served until shares of the root key were given with "+
		"`coffer unseal`", "needed", needed, "socket", filepath.Join(n.cfg.Data, fileSocket),
		"health", l.Port())
	n.warnUntold(n.cfg.Supervisor.Ready("sealed: waits for shares of the root key"))
	return func(ctx context.Context) error {
		err := n.closeListener(ctx, l)
		n.doors.Wait()
		return err
	}, nil
}

func (s *sealed) status() RootStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	given, needed := s.shares.Given()
	if s.open {
		given = needed
	}
	return RootStatus{
		State: stateSealed, Kind: string(rootkey.Shares), Given: given, Needed: needed,
	}
}

// shareText is a share as it travels; its JSON is not for logs.
type shareText struct {
	Share string `json:"share"`
}

func (s *sealed) give(_ context.Context, in shareText) (any, error) {
	if err := s.add([]byte(in.Share)); err != nil {
		return nil, err
	}
	return s.status(), nil
}

func (s *sealed) add(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return fault.New(fault.Invalid, "enough shares were given; the process starts")
	}
	key, err := s.shares.Add(text)
	given, needed := s.shares.Given()
	switch {
	case err != nil:
		s.n.log.Warn("a share of the root key was refused", "error", explained(err))
		return err
	case key != nil:
		s.open = true
		s.key <- key
	default:
		s.n.log.Info("a share of the root key was given", "given", given, "needed", needed)
	}
	return nil
}

// ask takes shares from the terminal, too, until ctx ends.
func (s *sealed) ask(ctx context.Context) {
	for ctx.Err() == nil {
		now := s.status()
		text, err := s.n.cfg.Secrets.Prompt(ctx,
			fmt.Sprintf("share %d of %d of the root key", now.Given+1, now.Needed))
		if err != nil {
			return // the socket is left
		}
		if err := s.add(text); err != nil {
			s.n.log.Warn("the share was refused", "error", explained(err))
		}
		clear(text)
		if s.status().Given == now.Needed {
			return
		}
	}
}

// Unseal gives a share to the process that waits on a data directory.
func Unseal(ctx context.Context, data string, share seal.Secret) (*RootStatus, error) {
	status := &RootStatus{}
	err := askOperator(ctx, data, "unseal", shareText{string(share)}, status)
	return status, err
}

// Root tells how the root key of a data directory stands, on which a process serves or
// waits.
func Root(ctx context.Context, data string) (*RootStatus, error) {
	status := &RootStatus{}
	err := askOperator(ctx, data, "root", struct{}{}, status)
	return status, err
}

// openOperator opens the operator's socket while the process serves.
func (n *Node) openOperator(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("POST /root", operated(func(context.Context, struct{}) (any, error) {
		n.rootTurn.Lock()
		defer n.rootTurn.Unlock()
		return n.rootStatus(), nil
	}))
	mux.Handle("POST /unseal", operated(func(context.Context, shareText) (any, error) {
		return nil, fault.New(fault.Invalid, "the process is not sealed; nothing was changed")
	}))
	mux.Handle("POST /rotate", operated(n.rotateRoot))
	mux.Handle("POST /platform", operated(n.rotatePlatform))
	mux.Handle("POST /doctor", operated(n.examine))
	mux.Handle("POST /health", tellHealth(n.health))
	mux.Handle("POST /rootmfa", operated(n.removeRootMFA))
	mux.Handle("POST /password", operated(n.changePassword))
	mux.Handle("POST /certificates", operated(n.certificates))
	mux.Handle("POST /renew", operated(n.renewCertificates))
	mux.Handle("POST /authority", operated(n.changeAuthority))
	door, err := openOperatorDoor(ctx, n.cfg.Data, mux)
	if err != nil {
		return err
	}
	n.onStop(door.close)
	return nil
}

// rootStatus is called with rootTurn held, or by openOperator's handler, which takes it.
func (n *Node) rootStatus() RootStatus {
	return RootStatus{
		State: stateServing, Kind: string(n.keeper.header.Kind),
		Platform: n.platformStatus(),
	}
}
