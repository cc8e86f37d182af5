// Package bench measures a whole Coffer: beside RabbitMQ with many loads, with ever more
// queues, connections and queued messages, and what it could do at best by the cost of
// its parts; how fast persistent messages are published, confirmed, consumed and acked
// over TLS, beside what the store alone does with the same batches on the same machine
// in the same run; and how long a start takes.
//
//	make bench                 # beside RabbitMQ; writes doc/figures/rabbitmq.*
//	make bench SUITE=growth    # writes doc/figures/growth.*
//	make bench SUITE=sqs       # beside ElasticMQ and moto; writes doc/figures/sqs.md
//	go test ./test/bench -run '^$' -bench . -benchtime 5x
//	go test ./test/bench -run '^$' -bench TLS -benchtime 10x -cpuprofile cpu.out
//	go tool pprof -top -ignore 'internal/bench|internal/amqpclient' cpu.out
//
// The load comes from a lean client on the same machine, which takes its share
// of the cores: figures compare with each other, not with other machines.
package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
)

// The load.
const (
	pairs     = 4       // of a publisher and a consumer, each with a connection
	bodySize  = 1 << 10 // octets
	window    = 2000    // publishes of a connection not yet confirmed; also the prefetch
	ackEvery  = 100     // deliveries settled by one ack
	channel   = 1
	queueName = "bench-%d"
)

// target is where to connect and how the pairs share queues.
type target struct {
	amqpclient.Config
	queues int // 1 to pairs
}

func (t *target) queue(pair int) string { return fmt.Sprintf(queueName, pair%t.queues) }

// declare makes the queues, empty.
func declare(ctx context.Context, t *target) error {
	c, err := amqpclient.Dial(ctx, t.Config)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Open(channel); err != nil {
		return err
	}
	for i := range t.queues {
		name := t.queue(i)
		_, err := c.Call(channel, &wire.QueueDeclare{Queue: name, Durable: true})
		if err == nil {
			_, err = c.Call(channel, &wire.QueuePurge{Queue: name})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run moves n messages through every pair. start is called when all consumers
// listen.
func run(ctx context.Context, t *target, body []byte, n int, start func()) error {
	l := library{t}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work, listening sync.WaitGroup
	errs := make([]error, 2*pairs)
	begin := func(i int, fn func() error) {
		work.Go(func() {
			if errs[i] = fn(); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	for i := range pairs {
		listening.Add(1)
		ready := sync.OnceFunc(listening.Done)
		begin(i, func() error {
			defer ready()
			return l.consume(ctx, t.queue(i), n, ready)
		})
	}
	listening.Wait()
	start()
	for i := range pairs {
		begin(pairs+i, func() error { return l.publish(ctx, t.queue(i), body, n) })
	}
	work.Wait()
	return errors.Join(errs...)
}
