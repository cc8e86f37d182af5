package node

import (
	"context"
	"net"
	"sync"

	"coffer/internal/listen"
)

// visits are the connections that a broker serves, whichever door they came by.
// They end together, without the door.
type visits struct {
	serve  listen.Handler
	ctx    context.Context // ends when end is called
	cancel context.CancelFunc

	mu    sync.Mutex
	over  bool
	conns map[net.Conn]struct{}
	here  sync.WaitGroup // as many as conns
}

func newVisits(serve listen.Handler) *visits {
	v := &visits{serve: serve, conns: map[net.Conn]struct{}{}}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// handle serves one connection until it leaves, its door closes or end is
// called; afterwards none is served.
func (v *visits) handle(ctx context.Context, conn net.Conn) {
	v.mu.Lock()
	if v.over {
		v.mu.Unlock()
		return
	}
	v.conns[conn] = struct{}{}
	v.here.Add(1)
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.conns, conn)
		v.mu.Unlock()
		v.here.Done()
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.ctx, cancel)()
	v.serve(ctx, conn)
}

// end asks the connections to leave, cuts those that are left when ctx ends,
// and returns when all are gone.
func (v *visits) end(ctx context.Context) {
	v.mu.Lock()
	v.over = true
	v.mu.Unlock()
	v.cancel()
	cut := context.AfterFunc(ctx, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for conn := range v.conns {
			conn.Close()
		}
	})
	defer cut()
	v.here.Wait()
}
