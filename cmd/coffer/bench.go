package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/amqpclient"
	"coffer/internal/bench"
	"coffer/internal/fault"
	"coffer/internal/node"
)

// place says where a broker is.
type place struct {
	url, file, ca string
	data          string
}

func benchCommand() *cobra.Command {
	var cfg bench.Config
	var at place
	var output string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Load a broker of AMQP 0-9-1 and measure it",
		Long: "Load a broker of AMQP 0-9-1, this one or another, and measure what its clients\n" +
			"see: messages per second, latencies from when a message was due, what was lost\n" +
			"or came twice, and the processor time and memory of a broker on this machine.\n" +
			"The broker is that of --url, of --url-file, of COFFER_AMQP_URL, or the one that\n" +
			"runs on the data directory. Queues are made for the run and removed.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", output)
			}
			var err error
			if cfg.Target, err = at.find(c.Context()); err != nil {
				return err
			}
			r, err := bench.Run(c.Context(), cfg)
			if err != nil {
				return err
			}
			return printBench(c.OutOrStdout(), output, r)
		},
	}
	f := c.Flags()
	at.flags(f)
	loadFlags(f, &cfg)
	f.StringVar(&output, "output", "text", "text or json")
	return c
}

func (p *place) flags(f *pflag.FlagSet) {
	f.StringVar(&p.url, "url", "", "amqps://USER:PASSWORD@HOST:PORT/VHOST, or amqp:// without\n"+
		"TLS; other users of the machine see it")
	f.StringVar(&p.file, "url-file", "", "file that holds the URL")
	f.StringVar(&p.ca, "ca", "", "file of the authority that signed the broker's certificate\n"+
		"(default COFFER_CA with COFFER_AMQP_URL, else the system's)")
	f.StringVar(&p.data, "data", dataDefault(), "data directory of a process that runs")
}

func loadFlags(f *pflag.FlagSet, cfg *bench.Config) {
	f.IntVar(&cfg.Publishers, "publishers", 4, "connections that publish")
	f.IntVar(&cfg.Consumers, "consumers", 4, "connections that consume")
	f.IntVar(&cfg.Queues, "queues", 4, "durable queues, dealt out to both in turn")
	f.StringVar(&cfg.Prefix, "queue-prefix", "",
		"beginning of the queues' names (default a random one)")
	f.StringVar(&cfg.QueueType, "queue-type", "", "x-queue-type of the queues")
	f.BoolVar(&cfg.Fanout, "fanout", false, "every message goes to all queues")
	f.IntVar(&cfg.Size, "size", 1024, "octets of a message")
	f.BoolVar(&cfg.Transient, "transient", false, "messages that need not outlast a restart")
	f.IntVar(&cfg.Window, "window", 256, "messages of a publisher that are not yet confirmed")
	f.Float64Var(&cfg.Rate, "rate", 0,
		"messages per second of all publishers (default as many as go)")
	f.IntVar(&cfg.Prefetch, "prefetch", 256, "unsettled messages of a consumer")
	f.IntVar(&cfg.AckEvery, "ack-every", 0,
		"messages settled by one ack (default a quarter of prefetch)")
	f.Int64Var(&cfg.Preload, "preload", 0, "messages that are there before anybody consumes")
	f.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "load before the measurement")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second,
		"the measurement; 0: what is preloaded comes and goes")
	f.DurationVar(&cfg.Patience, "patience", 30*time.Second, "how long nothing at all may happen")
	f.IntVar(&cfg.PID, "pid", 0, "the broker's process, where it is not found by its port")
}

// find says how to reach the broker.
func (p *place) find(ctx context.Context) (to amqpclient.Config, err error) {
	to = amqpclient.Config{URL: p.url, CA: p.ca}
	switch {
	case p.url != "" && p.file != "":
		return to, fault.New(fault.Invalid, "--url and --url-file: give one of them")
	case p.url != "":
		return to, nil
	case p.file != "":
		text, err := os.ReadFile(p.file)
		to.URL = strings.TrimSpace(string(text))
		return to, err
	}
	known := map[string]string{}
	for _, name := range []string{"COFFER_AMQP_URL", "COFFER_CA"} {
		known[name] = os.Getenv(name)
	}
	if known["COFFER_AMQP_URL"] == "" {
		list, err := node.Env(ctx, p.data)
		if err != nil {
			return to, err
		}
		for _, v := range list {
			known[v.Name] = v.Value
		}
	}
	to.URL = known["COFFER_AMQP_URL"]
	if to.CA == "" {
		to.CA = known["COFFER_CA"]
	}
	return to, nil
}

func printBench(w io.Writer, output string, r *bench.Result) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	text := fmt.Appendf(nil, "%s\n", r.Broker)
	text = appendPhase(text, "fill", r.Fill)
	text = appendPhase(text, "load", r.Load)
	text = appendPhase(text, "drain", r.Drain)
	text = appendLatency(text, "confirm", r.Confirm)
	text = appendLatency(text, "through", r.EndToEnd)
	m := r.Messages
	text = fmt.Appendf(text, "%d sent, %d refused, %d received, %d lost, %d twice, "+
		"%d redelivered, %d out of order, %d foreign\n", m.Sent, m.Refused, m.Received, m.Lost,
		m.Twice, m.Redelivered, m.Misordered, m.Foreign)
	if s := r.Server; s != nil {
		text = fmt.Appendf(text, "%s (%d): %.1f MiB resident before, %.1f during, %.1f at most\n",
			s.Command, s.PID, mib(s.Before), mib(s.Median), mib(s.Peak))
	}
	_, err := w.Write(text)
	return err
}

func appendPhase(text []byte, name string, p *bench.Phase) []byte {
	if p == nil {
		return text
	}
	return fmt.Appendf(text, "%-7s %.1f s: %.0f published, %.0f confirmed, %.0f delivered "+
		"a second; CPU per message: %.1f µs broker, %.1f µs bench\n", name, p.Seconds,
		p.Published, p.Confirmed, p.Delivered, p.ServerCPU, p.GeneratorCPU)
}

func appendLatency(text []byte, name string, l bench.Latency) []byte {
	if l.Count == 0 {
		return text
	}
	return fmt.Appendf(text, "%-7s p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f of %d\n",
		name, l.P50/1000, l.P90/1000, l.P99/1000, l.P999/1000, l.Max/1000, l.Count)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
