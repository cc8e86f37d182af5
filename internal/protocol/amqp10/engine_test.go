package amqp10

import (
	"context"
	"testing"
	"time"

	"coffer/internal/protocol/protocoltest"
	"coffer/internal/store"
)

type testEngine = protocoltest.Engine

func newEngine(t testing.TB) *testEngine {
	t.Helper()
	return newEngineOn(t, nil)
}

// newEngineOn makes an engine on an empty store, which it closes; nil: one in memory.
func newEngineOn(t testing.TB, disk store.Engine) *testEngine {
	t.Helper()
	return protocoltest.New(t, protocoltest.Config{
		Disk: disk, MaxMessage: defaultMaxMessage + 64<<10,
	})
}

// service is a Server behind a loopback port.
type service struct {
	*testEngine
	server *Server
	addr   string
	stop   context.CancelFunc
}

// serveTest starts a server. Its connections are over when the test is.
func serveTest(t testing.TB, e *testEngine, cfg Config) *service {
	t.Helper()
	cfg.Engine, cfg.Logger, cfg.Space = e, protocoltest.Quiet(), e.Space
	setDefault(&cfg.RefusalDelay, time.Millisecond)
	// A machine that is slow must not change what a test sees.
	setDefault(&cfg.HandshakeTimeout, patience)
	setDefault(&cfg.CloseTimeout, patience)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	service := &service{testEngine: e, server: s}
	service.addr, service.stop = protocoltest.Listen(t, s.Serve)
	return service
}
