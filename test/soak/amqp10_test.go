package soak

import (
	"fmt"
	"testing"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/process"
)

// TestModernLeaves: when a consumer of AMQP 1.0 has left in order, all that it held is back,
// so that who comes next gets it first. Else the ledger would see later messages before those,
// and call the broker wrong.
func TestModernLeaves(t *testing.T) {
	ctx := t.Context()
	p, err := process.Start(ctx, program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	env, err := p.Env(ctx)
	if err != nil {
		t.Fatal(err)
	}
	to := amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
	const queue = "held"
	if err := declare(ctx, to, []*flow{{queue: queue}}, false); err != nil {
		t.Fatal(err)
	}
	other, err := dialLean(ctx, to, &wire.TxSelect{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for round := range 30 {
		for i := range 2 {
			body := fmt.Appendf(nil, "%d of %d", i, round)
			if err := other.Publish(channel, "", queue, true, body); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := other.Call(channel, &wire.TxCommit{}); err != nil {
			t.Fatal(err)
		}
		in, err := modern{}.consume(ctx, to, queue, 1)
		if err != nil {
			t.Fatal(err)
		}
		held, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		want := string(held.body)
		if err := in.close(true); err != nil {
			t.Fatal(err)
		}
		if got := get(t, other, queue); got != want {
			t.Fatalf("round %d: %q came first, after a consumer left that held %q",
				round, got, want)
		}
		get(t, other, queue)
	}
}

// get takes the first message of a queue.
func get(t *testing.T, c *amqpclient.Conn, queue string) string {
	t.Helper()
	err := c.Append(channel, &wire.BasicGet{Queue: queue, NoAck: true})
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Method.(*wire.BasicGetOk); !ok {
		t.Fatalf("%s instead of a message", e.Method.ID())
	}
	return string(e.Body)
}
