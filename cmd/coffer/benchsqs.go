package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/bench"
	"coffer/internal/fault"
	"coffer/internal/node"
)

// sqsBench is what `coffer bench sqs` is asked for.
type sqsBench struct {
	cfg    bench.SQSConfig
	data   string
	runs   int
	null   bool
	output string
}

func benchSQSCommand() *cobra.Command {
	var b sqsBench
	c := &cobra.Command{
		Use:   "sqs",
		Short: "Load an SQS API and measure it",
		Long: "Load an SQS API, this one or another, and measure what its clients see: messages\n" +
			"per second, latencies of requests, what was lost or came twice, and the processor\n" +
			"time and memory of a server on this machine. Each connection makes one request\n" +
			"after another. The API is that of --endpoint with the credentials of the\n" +
			"environment, or that of AWS_ENDPOINT_URL, or the one that runs on the data\n" +
			"directory. Queues are made for the run and removed.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if b.output != "text" && b.output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", b.output)
			}
			if b.runs < 1 {
				return fault.New(fault.Invalid, "--runs: %d is not a number of runs", b.runs)
			}
			report, err := b.do(c)
			if len(report.Runs) > 0 {
				err = errors.Join(err, report.print(c.OutOrStdout(), b.output))
			}
			return err
		},
	}
	b.flags(c.Flags())
	return c
}

func (b *sqsBench) flags(f *pflag.FlagSet) {
	cfg := &b.cfg
	f.StringVar(&cfg.Target.URL, "endpoint", "", "https://HOST:PORT, or http:// without TLS")
	f.StringVar(&cfg.Target.CA, "ca", "",
		"file of the authority that signed the certificate (default the system's)")
	f.StringVar(&b.data, "data", dataDefault(), "data directory of a process that runs")
	f.IntVar(&cfg.Senders, "senders", 16, "connections that send")
	f.IntVar(&cfg.Receivers, "receivers", 16, "connections that receive and delete")
	f.BoolVar(&cfg.Together, "together", false,
		"receive while others send, and not when they have ended")
	f.IntVar(&cfg.Queues, "queues", 1, "queues, dealt out to both in turn")
	f.StringVar(&cfg.Prefix, "queue-prefix", "",
		"beginning of the queues' names (default a random one)")
	f.BoolVar(&cfg.FIFO, "fifo", false, "FIFO queues, with a message group for each sender")
	f.IntVar(&cfg.Size, "size", 1024, "characters of a message")
	f.IntVar(&cfg.Batch, "batch", 1, "messages of a request")
	f.Float64Var(&cfg.Rate, "rate", 0,
		"messages per second of all senders (default as many as go)")
	f.IntVar(&cfg.Wait, "wait", 1, "seconds that a receive waits for a message")
	f.Int64Var(&cfg.Preload, "preload", 0, "messages that are sent before the load")
	f.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "load before the measurement")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second,
		"the measurement; 0: what is preloaded comes and goes")
	f.BoolVar(&cfg.Leave, "leave", false, "receive nothing when the load is over")
	f.DurationVar(&cfg.Patience, "patience", 30*time.Second, "how long nothing at all may happen")
	f.IntVar(&cfg.PID, "pid", 0, "the server's process, where it is not found by its port")
	f.IntVar(&b.runs, "runs", 1, "measurements")
	f.BoolVar(&b.null, "null", false,
		"measure what the machine allows: the load on a sink within this process")
	f.StringVar(&b.output, "output", "text", "text or json")
}

// do measures, and prints each run as it ends if text is wanted.
func (b *sqsBench) do(c *cobra.Command) (*benchReport, error) {
	report, measure := &benchReport{}, bench.NullSQS
	if !b.null {
		measure = bench.RunSQS
		if err := b.find(c.Context()); err != nil {
			return report, err
		}
	}
	for range b.runs {
		r, err := measure(c.Context(), b.cfg)
		if err == nil && b.output == "text" {
			err = printBench(c.OutOrStdout(), r)
		}
		if err != nil {
			return report, err
		}
		report.Runs = append(report.Runs, r)
	}
	return report, nil
}

// find completes the target from the environment or, if that names none, the data
// directory.
func (b *sqsBench) find(ctx context.Context) error {
	to := &b.cfg.Target
	get := os.Getenv
	if to.URL == "" && os.Getenv("AWS_ENDPOINT_URL") == "" {
		list, err := node.Env(ctx, b.data)
		if err != nil {
			return err
		}
		known := map[string]string{}
		for _, v := range list {
			known[v.Name] = v.Value
		}
		get = func(name string) string { return known[name] }
	}
	known, err := bench.SQSTargetFrom(get)
	known.URL, known.CA = cmp.Or(to.URL, known.URL), cmp.Or(to.CA, known.CA)
	*to = known
	return err
}
