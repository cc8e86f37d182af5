package scale

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/bench"
	"coffer/test/apiclient"
)

// minSpeed is the part of the speed of an empty queue that a long one of SQS keeps.
const minSpeed = 0.8

// serveSQS runs the binary and gives its API and a client.
func serveSQS(t *testing.T, data string) (*server, bench.SQSTarget, *apiclient.Client) {
	t.Helper()
	s := run(t, data)
	env, err := s.Env(t.Context())
	check(t, err)
	to, err := bench.SQSTargetFrom(func(name string) string { return env[name] })
	check(t, err)
	c, err := apiclient.New(env)
	check(t, err)
	return s, to, c
}

// TestSQSLength receives from a queue of SQS beside senders, with nothing else in it and
// with ever more messages.
func TestSQSLength(t *testing.T) {
	table(t, "messages in the queue", "fill /s", "received and deleted /s", "receive p50, ms",
		"receive p99, ms", "RSS median, MiB", "peak, MiB")
	duration, lengths := 200*time.Millisecond, []int{0, amounts.lengths[0]}
	if amounts.measured {
		duration, lengths = 10*time.Second, append(lengths[:1], amounts.lengths...)
	}
	empty := 0.
	for _, n := range lengths {
		s, to, _ := serveSQS(t, filepath.Join(t.TempDir(), "data"))
		r, err := bench.RunSQS(t.Context(), bench.SQSConfig{
			Target: to, PID: s.Pid(), Senders: 16, Receivers: 16, Together: true, Batch: 10,
			Preload: int64(n), Duration: duration, Leave: true,
		})
		check(t, err)
		if a := r.Messages; !a.Whole() || a.Received == 0 || a.Sent < int64(n) {
			t.Errorf("%d messages: %+v", n, a)
		}
		filled, speed := "", r.Load.Delivered
		if r.Fill != nil {
			filled = fmt.Sprintf("%.0f", r.Fill.Confirmed)
		}
		if n == 0 {
			empty = speed
		}
		if amounts.measured && speed < minSpeed*empty {
			t.Errorf("%d messages: %.0f /s, of an empty queue %.0f", n, speed, empty)
		}
		now := s.memory()
		row(t, fmt.Sprint(n), filled, fmt.Sprintf("%.0f", speed),
			fmt.Sprintf("%.2f", r.Receive.P50/1000), fmt.Sprintf("%.2f", r.Receive.P99/1000),
			mib(r.Server.Median), mib(now.peak))
		check(t, s.Stop())
	}
}

// TestSQSQueues makes many queues of SQS with a message in each, and measures memory and
// the start after kill -9.
func TestSQSQueues(t *testing.T) {
	data, n := filepath.Join(t.TempDir(), "data"), amounts.queues
	table(t, "queues of SQS", "made /s", "sent /s", "start", "RSS, MiB", "of it per queue, KiB")
	s, _, _ := serveSQS(t, data) // makes the directory
	check(t, s.Stop())
	s, _, c := serveSQS(t, data)
	base := s.memory().resident
	url := make([]string, n)
	begin := time.Now()
	check(t, spread(n, func(_, i int) error {
		var out struct{ QueueUrl string }
		err := c.SQS(t.Context(), "CreateQueue", map[string]any{"QueueName": manyName(i)}, &out)
		url[i] = out.QueueUrl
		return err
	}))
	made := float64(n) / time.Since(begin).Seconds()
	begin = time.Now()
	check(t, spread(n, func(_, i int) error {
		return c.SQS(t.Context(), "SendMessage",
			map[string]any{"QueueUrl": url[i], "MessageBody": fmt.Sprint("message ", i)}, nil)
	}))
	sent := float64(n) / time.Since(begin).Seconds()
	show := func() {
		now := s.memory().resident
		row(t, fmt.Sprint(n), fmt.Sprintf("%.0f", made), fmt.Sprintf("%.0f", sent),
			milli(s.Started()), mib(now), fmt.Sprintf("%.2f", float64(now-base)/1024/float64(n)))
	}
	show()
	check(t, s.Kill())
	s, _, c = serveSQS(t, data)
	show()
	for _, i := range []int{0, n / 2, n - 1} {
		receiveOne(t, c, s, url[i], fmt.Sprint("message ", i))
	}
	check(t, s.Stop())
}

// receiveOne wants a message in a queue.
func receiveOne(t *testing.T, c *apiclient.Client, s *server, url, want string) {
	t.Helper()
	var out struct{ Messages []struct{ Body string } }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := c.SQS(ctx, "ReceiveMessage", map[string]any{"QueueUrl": url}, &out)
	if err != nil || len(out.Messages) != 1 || out.Messages[0].Body != want {
		t.Errorf("%s after kill -9: got %+v, %v\n%s", url, out, err, s.Log())
	}
}
