package scale

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"coffer/internal/amqpclient"
)

// workers is how many goroutines open and declare at once.
const workers = 16

// spread calls fn with every number below n, on several goroutines, and gives the
// errors. Each goroutine ends at its first one.
func spread(n int, fn func(worker, i int) error) error {
	var work sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		work.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = fn(w, i)
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

func manyName(i int) string { return fmt.Sprint("many-", i) }

// declareMany declares n durable queues.
func declareMany(ctx context.Context, to amqpclient.Config, n int) error {
	var conns [workers]*amqpclient.Conn
	for i := range conns {
		var err error
		if conns[i], err = open(ctx, to); err != nil {
			return err
		}
		defer conns[i].Close()
	}
	return spread(n, func(w, i int) error {
		_, err := conns[w].Call(channel, declare(manyName(i)))
		return err
	})
}

// connect opens n connections with a channel each, which do nothing then.
func connect(ctx context.Context, to amqpclient.Config, n int) ([]*amqpclient.Conn, error) {
	to.ReadBuffer = 2 << 10
	conns := make([]*amqpclient.Conn, n)
	err := spread(n, func(_, i int) (err error) {
		conns[i], err = open(ctx, to)
		return err
	})
	return conns, err
}
