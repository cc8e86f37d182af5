package main

import (
	"cmp"
	"context"
	"errors"
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
type place struct{ url, file, ca string }

// benchRun is what `coffer bench` is asked for.
type benchRun struct {
	cfg       bench.Config
	at, other place
	data      string
	runs      int
	null      bool
	dir       string
	output    string
}

// diskBatches are the sizes in octets that --null measures the disk with: from one small
// message to a full batch.
func diskBatches() []int { return []int{1 << 10, 64 << 10, 256 << 10, 1 << 20} }

func benchCommand() *cobra.Command {
	var r benchRun
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
			if r.output != "text" && r.output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", r.output)
			}
			if r.runs < 1 {
				return fault.New(fault.Invalid, "--runs: %d is not a number of runs", r.runs)
			}
			report, err := r.do(c)
			// What was measured before an error counts.
			if report != nil && len(report.Runs) > 0 {
				err = errors.Join(err, report.print(c.OutOrStdout(), r.output))
			}
			return err
		},
	}
	r.flags(c.Flags())
	c.AddCommand(benchSQSCommand())
	return c
}

func (r *benchRun) flags(f *pflag.FlagSet) {
	r.at.flags(f, "url", "", "ca")
	r.other.flags(f, "compare", " of a broker that is measured in turn", "compare-ca")
	f.StringVar(&r.data, "data", dataDefault(), "data directory of a process that runs")
	loadFlags(f, &r.cfg)
	f.IntVar(&r.runs, "runs", 1, "measurements; two brokers are measured in turn")
	f.BoolVar(&r.null, "null", false,
		"measure what the machine allows: the load on a sink within this process,\n"+
			"and the disk, whose directory is --dir")
	f.StringVar(&r.dir, "dir", ".", "directory to append to with --null")
	f.StringVar(&r.output, "output", "text", "text or json")
}

// do measures, and prints each run as it ends if text is wanted.
func (r *benchRun) do(c *cobra.Command) (*benchReport, error) {
	print := func(_ int, res *bench.Result) error {
		if r.output == "json" {
			return nil
		}
		return printBench(c.OutOrStdout(), res)
	}
	if r.null {
		return r.limits(c.Context(), print)
	}
	first, err := r.at.find(c.Context(), r.data)
	if err != nil {
		return nil, err
	}
	brokers := []bench.Measure{r.cfg.Of(first)}
	if r.other != (place{}) {
		second, err := r.other.read()
		if err != nil {
			return nil, err
		}
		brokers = append(brokers, r.cfg.Of(second))
	}
	results, err := bench.Compare(c.Context(), brokers, r.runs, print)
	report := &benchReport{Runs: results[0]}
	if len(brokers) > 1 && len(results[1]) > 0 {
		report.Other = results[1]
		report.compare()
	}
	return report, err
}

// limits measures without a broker.
func (r *benchRun) limits(
	ctx context.Context, print func(int, *bench.Result) error,
) (*benchReport, error) {
	report := &benchReport{}
	for i := range r.runs {
		res, err := bench.Null(ctx, r.cfg)
		if err == nil {
			err = print(i, res)
		}
		if err != nil {
			return report, err
		}
		report.Runs = append(report.Runs, res)
	}
	var err error
	each := r.cfg.Duration / time.Duration(len(diskBatches()))
	report.Disk, err = bench.Disk(r.dir, diskBatches(), each)
	return report, err
}

func (p *place) flags(f *pflag.FlagSet, name, which, ca string) {
	f.StringVar(&p.url, name, "", "amqps://USER:PASSWORD@HOST:PORT/VHOST, or amqp:// without TLS,"+
		"\n"+strings.TrimSpace(which+" (other users of the machine see it)"))
	f.StringVar(&p.file, name+"-file", "", "file that holds the URL"+which)
	f.StringVar(&p.ca, ca, "",
		"file of the authority that signed the certificate"+which+"\n(default the system's)")
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

// read gives the broker that the flags name.
func (p *place) read() (to amqpclient.Config, err error) {
	to = amqpclient.Config{URL: p.url, CA: p.ca}
	switch {
	case p.url != "" && p.file != "":
		return to, fault.New(fault.Invalid, "a URL and a file with one: give one of them")
	case p.file != "":
		text, err := os.ReadFile(p.file)
		to.URL = strings.TrimSpace(string(text))
		return to, err
	}
	return to, nil
}

// find gives that broker, or else that of the environment or the data directory.
func (p *place) find(ctx context.Context, data string) (amqpclient.Config, error) {
	to, err := p.read()
	if err != nil || to.URL != "" {
		return to, err
	}
	known := map[string]string{
		"COFFER_AMQP_URL": os.Getenv("COFFER_AMQP_URL"), "COFFER_CA": os.Getenv("COFFER_CA"),
	}
	if known["COFFER_AMQP_URL"] == "" {
		list, err := node.Env(ctx, data)
		if err != nil {
			return to, err
		}
		for _, v := range list {
			known[v.Name] = v.Value
		}
	}
	to.URL, to.CA = known["COFFER_AMQP_URL"], cmp.Or(to.CA, known["COFFER_CA"])
	return to, nil
}
