package amqp091

import (
	"context"
	"testing"
	"time"

	"coffer/internal/protocol/protocoltest"
	"coffer/internal/store"
)

const testKey = protocoltest.Key

type testEngine struct{ *protocoltest.Engine }

func (e testEngine) Permit(user, vhost string, kind Resource, name string, action Action) error {
	return e.Engine.Permit(user, vhost, string(kind), name, string(action))
}

func newEngine(t testing.TB) testEngine {
	t.Helper()
	return newEngineOn(t, nil)
}

// newEngineOn makes an engine on an empty store, which it closes; nil: one in memory.
func newEngineOn(t testing.TB, disk store.Engine) testEngine {
	t.Helper()
	return testEngine{protocoltest.New(t, protocoltest.Config{
		Disk: disk, MaxMessage: defaultMaxMessage + 64<<10, Lead: Lead,
	})}
}

// service is a Server behind a loopback port.
type service struct {
	testEngine
	server *Server
	addr   string
	stop   context.CancelFunc
}

// serveTest starts a server. Its connections are over when the test is.
func serveTest(t testing.TB, e testEngine, cfg Config) *service {
	t.Helper()
	cfg.Engine, cfg.Logger, cfg.Space = e, protocoltest.Quiet(), e.Space
	setDefault(&cfg.RefusalDelay, time.Millisecond)
	setDefault(&cfg.HandshakeTimeout, time.Minute) // of a loaded machine
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	service := &service{testEngine: e, server: s}
	service.addr, service.stop = protocoltest.Listen(t, s.Serve)
	return service
}
