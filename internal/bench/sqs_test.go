package bench

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
	"coffer/internal/fault"
)

// againstSQS runs a load on a sink with faults. The numbers do not depend on the time.
func againstSQS(t *testing.T, f sqsFaults, cfg SQSConfig) (*Result, error) {
	t.Helper()
	s, err := newSQSSink(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	cfg.Target = SQSTarget{URL: "http://" + s.address(),
		Key: sigv4.Key{AccessKeyID: "KEY", Secret: sigv4.NewSecret("secret")}}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("it hangs"))
	defer cancel()
	return RunSQS(ctx, cfg)
}

// TestSQSShapes runs every shape on a server that does nothing wrong.
func TestSQSShapes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults sqsFaults
		cfg    SQSConfig
	}{
		"one":            {sqsFaults{}, SQSConfig{Receivers: 1}},
		"batches":        {sqsFaults{}, SQSConfig{Senders: 3, Receivers: 2, Batch: 7}},
		"many queues":    {sqsFaults{}, SQSConfig{Senders: 5, Receivers: 2, Queues: 5, Batch: 10}},
		"more receivers": {sqsFaults{}, SQSConfig{Senders: 2, Receivers: 7, Queues: 2}},
		"fifo":           {sqsFaults{}, SQSConfig{Senders: 2, Receivers: 1, FIFO: true, Batch: 10}},
		"least size":     {sqsFaults{}, SQSConfig{Receivers: 1, Size: MinSQSSize}},
		"HTTP/1.0":       {sqsFaults{http10: true}, SQSConfig{Senders: 2, Receivers: 2}},
		"at a rate":      {sqsFaults{}, SQSConfig{Senders: 3, Receivers: 2, Rate: 20_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Preload = 500
			r, err := againstSQS(t, c.faults, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			want := Account{Sent: 500, Received: 500}
			if r.Messages != want || r.EndToEnd.Count != 500 || r.Broker != "sink" {
				t.Errorf("%s: %+v, %+v", r.Broker, r.Messages, r.EndToEnd)
			}
			requests := int64(500 / max(1, c.cfg.Batch))
			if r.Confirm.Count < requests || r.Receive.Count < requests {
				t.Errorf("%d sends and %d receives were measured", r.Confirm.Count, r.Receive.Count)
			}
			if r.Load != nil || r.Fill.Confirmed == 0 || r.Drain.Delivered == 0 {
				t.Errorf("phases %+v %+v %+v", r.Fill, r.Load, r.Drain)
			}
		})
	}
}

// TestSQSLoad measures for a time: receivers together with senders, or behind them.
func TestSQSLoad(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		r, err := againstSQS(t, sqsFaults{}, SQSConfig{
			Senders: 2, Receivers: 2, Preload: 100, Together: together,
			Warmup: 20 * time.Millisecond, Duration: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		a := r.Messages
		if !a.Whole() || a.Received != a.Sent || a.Sent <= 100 || r.Load.Confirmed == 0 {
			t.Errorf("got %+v in %+v", a, r.Load)
		}
		if (r.Drain == nil) != together || (r.Wake.Count == 0) != (r.EndToEnd.Count == 0) {
			t.Errorf("together %t: drain %+v, wake %+v", together, r.Drain, r.Wake)
		}
	}
}

// TestSQSIdle: servers close connections on which nothing comes for some seconds. None
// that was opened before the fill, or before the load, has its first request after it.
func TestSQSIdle(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]SQSConfig{
		"fill":     {},
		"load":     {Duration: 10 * time.Millisecond},
		"together": {Duration: 10 * time.Millisecond, Together: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Senders, cfg.Receivers, cfg.Preload = 1, 3, 500
			r, err := againstSQS(t, sqsFaults{idle: 500}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if a := r.Messages; !a.Whole() || a.Received != a.Sent || a.Sent < 500 {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestSQSLeave ends with the load: what waits is no loss.
func TestSQSLeave(t *testing.T) {
	t.Parallel()
	r, err := againstSQS(t, sqsFaults{}, SQSConfig{
		Receivers: 1, Preload: 300, Leave: true, Duration: 10 * time.Millisecond,
	})
	if err != nil || r.Messages.Sent < 300 || r.Messages.Received != 0 || !r.Messages.Whole() {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestSQSFaultsAreCounted: a server that loses or repeats messages is found out.
func TestSQSFaultsAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deliver func(n int) int
		want    Account
	}{
		"lost": {
			func(n int) int { return 1 - min(1, n%100/99) },
			Account{Sent: 500, Received: 495, Lost: 5},
		},
		"twice": {
			func(n int) int {
				if n%100 == 50 { // the last is none of them: with it the run ends
					return 2
				}
				return 1
			},
			Account{Sent: 500, Received: 500, Twice: 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := againstSQS(t, sqsFaults{deliver: c.deliver}, SQSConfig{
				Receivers: 2, Preload: 500, Batch: 10, Patience: 2 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Messages != c.want {
				t.Errorf("got %+v, want %+v", r.Messages, c.want)
			}
		})
	}
}

// TestSQSRefusals: what a server refuses, or answers as no server does, ends the run and
// says why.
func TestSQSRefusals(t *testing.T) {
	t.Parallel()
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct{ operation, answer, text string }{
		"status": {"SendMessage", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
			"sender 0: SendMessage: the server answers 403: no"},
		"no HTTP":   {"CreateQueue", "220 ftp\r\n", "CreateQueue: the answer is no HTTP"},
		"no length": {"CreateQueue", "HTTP/1.1 200 OK\r\n\r\n", "-1 octets of a body"},
		"no queue": {"CreateQueue", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"names no queue"},
		"nothing taken": {"SendMessage", chunked + "0\r\n\r\n", "0 of 1 messages were taken: "},
		"wrong chunk":   {"SendMessage", chunked + "x\r\n", "invalid byte in chunk length"},
		"no handle": {"ReceiveMessage", chunked + "d\r\n{\"Body\":\"x\"}\n\r\n0\r\n\r\n",
			"receiver 0: 1 messages have 0 handles"},
		"not deleted": {"DeleteMessage", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
			"receiver 0: DeleteMessage: the server answers 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := againstSQS(t, sqsFaults{answer: func(operation string) string {
				if operation == c.operation {
					return c.answer
				}
				return ""
			}}, SQSConfig{Receivers: 1, Preload: 10})
			if err == nil || !strings.Contains(err.Error(), c.text) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q", err, c.text)
			}
		})
	}
}

// TestSQSMessagesTakeNoMemory: many allocate hardly more than few, but for the sink,
// which keeps each text.
func TestSQSMessagesTakeNoMemory(t *testing.T) {
	allocated := func(messages int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := againstSQS(t, sqsFaults{}, SQSConfig{Preload: messages, Batch: 10, Leave: true})
		if err != nil || r.Messages.Sent != messages {
			t.Fatalf("got %+v, %v", r, err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	const few, many = 1000, 21_000
	short, long := allocated(few), allocated(many)
	if each := (float64(long) - float64(short)) / (many - few); each > 2 {
		t.Errorf("%d take %d allocations, %d take %d: %.2f each", few, short, many, long, each)
	}
}

// TestWrongSQSConfig is refused before anything is connected.
func TestWrongSQSConfig(t *testing.T) {
	t.Parallel()
	for text, cfg := range map[string]SQSConfig{
		"size: 47 is not from 48 to":      {Size: 47, Preload: 1},
		"queues: 2 is not from 1 to 1":    {Queues: 2, Preload: 1},
		"batch: 11 is not from 1 to 10":   {Batch: 11, Preload: 1},
		"wait: 21 is not from 0 to 20":    {Wait: 21, Preload: 1},
		"neither a duration nor":          {},
		"duration: -1s is not from 0s to": {Duration: -time.Second},
	} {
		_, err := RunSQS(t.Context(), cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	for url, text := range map[string]string{
		"": "is neither https://HOST nor", "amqp://localhost": "is neither https://HOST nor",
		"http://127.0.0.1:1": "refused", "https://127.0.0.1:1": "refused",
	} {
		_, err := RunSQS(t.Context(), SQSConfig{Target: SQSTarget{URL: url}, Preload: 1})
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %v, want %q", url, err, text)
		}
	}
}

// TestScan finds members by their names, and values as they are.
func TestScan(t *testing.T) {
	t.Parallel()
	s := scan{[]byte(`{"a": "Body", "Body" : "x\"y\\", "n":1,"ReceiptHandle":"\/",` +
		`"Body":2, "Body":"last", "Body`)}
	for _, want := range [][2]string{
		{"Body", `x\"y\\`}, {"ReceiptHandle", `\/`}, {"Body", "last"}, {"", ""}, {"", ""},
	} {
		value, name := s.next("Body", "ReceiptHandle")
		if name != want[0] || string(value) != want[1] {
			t.Errorf("got %s %s, want %s", name, value, want)
		}
	}
}

// FuzzScan takes any answer without a panic, and gives nothing that is not in it.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"Messages":[{"Body":"x","ReceiptHandle":"y\\"}]}`))
	f.Add([]byte(`"Body":"\`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scan{text}
		for n := 0; ; n++ {
			value, name := s.next("Body", "ReceiptHandle")
			if name == "" {
				return
			}
			if n > len(text) || !strings.Contains(string(text), string(value)) {
				t.Fatalf("%q gives %q", text, value)
			}
		}
	})
}
