package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/fault"
	"coffer/internal/node"
	"coffer/internal/telemetry"
)

// options are the flags of serve that node.Config does not hold as they are.
type options struct {
	config, ports, names string
	log                  telemetry.LogConfig
}

func serveCommand() *cobra.Command {
	cfg, opt := &node.Config{}, &options{}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run everything; the first start sets up the data directory",
		Long: "Run everything. Each flag can also be set by an environment variable\n" +
			"(COFFER_API_PORT for --api-port) or in a YAML file with the same names.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := opt.settle(c, cfg); err != nil {
				return err
			}
			return serve(c, cfg, opt)
		},
	}
	settingFlags(c.Flags(), cfg, opt)
	return c
}

// settingFlags are the flags of serve.
func settingFlags(f *pflag.FlagSet, cfg *node.Config, opt *options) {
	f.StringVar(&opt.config, "config", "", "YAML file with settings")
	f.StringVar(&cfg.Data, "data", "./coffer-data", "data directory")
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1", "address to listen on")
	f.StringVar(&cfg.Hostname, "hostname", "localhost", "name in certificates and endpoints")
	rootKeyFlag(f, &cfg.RootKey, "", "root key (default <data>/root.key, or the terminal)")
	f.IntVar(&cfg.APIPort, "api-port", node.DefaultAPIPort, "AWS APIs (HTTPS)")
	f.IntVar(&cfg.AMQPPort, "amqp-port", node.DefaultAMQPPort, "AMQP over TLS of the first broker")
	f.IntVar(&cfg.AMQPPlainPort, "amqp-plain-port", node.DefaultAMQPPlainPort,
		"AMQP without TLS, with --insecure-loopback")
	f.IntVar(&cfg.MetricsPort, "metrics-port", node.DefaultMetricsPort,
		"metrics and health (HTTP, loopback only)")
	f.IntVar(&cfg.ManagementPort, "management-port", node.DefaultManagementPort,
		"management API of the brokers (HTTPS)")
	f.StringVar(&cfg.BrokerPorts, "broker-ports", node.DefaultBrokerPorts,
		"range of ports for further brokers")
	f.StringVar(&opt.ports, "ports", "fixed", "auto lets the system choose every port")
	f.StringSliceVar(&cfg.TLSCert, "tls-cert", nil,
		"own certificate chains (PEM) instead of the CA's")
	f.StringSliceVar(&cfg.TLSKey, "tls-key", nil, "their private keys, in the same order")
	f.StringVar(&cfg.TLSProfile, "tls-profile", "",
		"modern (TLS 1.3), compatible (also 1.2) or fips (approved curves and suites)\n"+
			"(default compatible; fips in a build of make build-fips)")
	f.StringSliceVar(&cfg.ClientCA, "client-ca", nil,
		"certificates (PEM) of who signs those of AMQP clients, which may sign in by them")
	f.StringVar(&cfg.ClientLoginFrom, "client-login-from", "distinguished_name",
		"what of a client's certificate is its user: distinguished_name, common_name or\n"+
			"subject_alternative_name, of which :email, :ip or :uri is another type")
	f.BoolVar(&cfg.InsecureLoopback, "insecure-loopback", false,
		"open plaintext listeners on 127.0.0.1, for test suites that cannot do TLS")
	f.StringVar(&cfg.LowWater, "low-water", "",
		"free space of the disk below which new messages are refused, such as 2GiB or 10%\n"+
			"(default 5%, at least 512MiB, at most 8GiB)")
	f.StringVar(&cfg.MaxMessage, "max-message-size", node.DefaultMaxMessage,
		"size of the largest message, at most 128MiB")
	keyFlags(f, cfg)
	traceFlags(f, cfg)
	f.DurationVar(&cfg.ConsumerTimeout, "consumer-timeout", node.DefaultConsumerTimeout,
		"how long an AMQP 0-9-1 delivery may stay unsettled before its channel is closed, where\n"+
			"neither x-consumer-timeout nor a policy says; 0 is for ever")
	f.StringVar(&cfg.AuditHeads, "audit-heads", "",
		"file, kept elsewhere, to append signed heads of the audit trail to")
	f.StringVar(&cfg.Lint, "lint", "warn", "names, tags and descriptions that look like e-mail\n"+
		"addresses, card numbers or keys: off, warn or refuse")
	f.StringVar(&opt.log.Level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&opt.names, "log-names", "plain",
		"names that users gave people and things, in the log: plain, or hashed")
	f.StringVar(&opt.log.Format, "log-format", "text", "text or json")
}

// keyFlags are about keys and their use.
func keyFlags(f *pflag.FlagSet, cfg *node.Config) {
	f.StringVar(&cfg.Revocation, "revocation", node.Immediate,
		"immediate takes keys away at once; delayed, as AWS does, after --revocation-delay")
	f.DurationVar(&cfg.RevocationDelay, "revocation-delay", node.DefaultRevocationDelay,
		"how long brokers keep a key that was disabled, with --revocation delayed")
	f.StringVar(&cfg.KMSRates, "kms-rates", "",
		"requests per second that the KMS takes of an account: aws, or a list such as\n"+
			"CreateGrant=50,Cryptographic=1000 (default no bounds)")
	f.BoolVar(&cfg.ExplainDenials, "explain-denials", false,
		"tell callers to whom KMS refuses the messages of another account's queue why, and what\n"+
			"has to be done about it, behind AWS's words, which do not say")
}

// traceFlags are about what a collector of OpenTelemetry is told.
func traceFlags(f *pflag.FlagSet, cfg *node.Config) {
	f.StringVar(&cfg.Traces, "traces", "",
		"URL of a collector (OTLP over HTTP) that is told of requests, such as\n"+
			"https://collector:4318 (default OTEL_EXPORTER_OTLP_ENDPOINT, else none is)")
	f.StringVar(&cfg.TracesCA, "traces-ca", "",
		"certificates (PEM) that the collector's is checked with (default the system's)")
	f.Float64Var(&cfg.TracesRatio, "traces-ratio", 0.01,
		"share of requests that are traced, where the client does not decide, 0 to 1")
}

// settle reads the settings from wherever they are, and what of them stands in options.
func (opt *options) settle(c *cobra.Command, cfg *node.Config) error {
	if opt.config == "" {
		opt.config = os.Getenv(variable("config"))
	}
	if err := settle(c.Flags(), opt.config); err != nil {
		return err
	}
	if cfg.Traces == "" {
		cfg.Traces = os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	switch opt.ports {
	case "auto":
		cfg.AutoPorts = true
	case "fixed":
	default:
		return fault.New(fault.Invalid, "--ports: %q is neither auto nor fixed", opt.ports)
	}
	switch {
	case cfg.ConsumerTimeout < 0:
		return fault.New(fault.Invalid, "--consumer-timeout: %v is negative", cfg.ConsumerTimeout)
	case cfg.ConsumerTimeout == 0:
		cfg.ConsumerTimeout = -1
	}
	return nil
}

func serve(c *cobra.Command, cfg *node.Config, opt *options) error {
	switch opt.names {
	case "hashed":
		cfg.Names = &telemetry.Names{}
		opt.log.Names = cfg.Names
	case "plain":
	default:
		return fault.New(fault.Invalid, "--log-names: %q is neither plain nor hashed", opt.names)
	}
	log, err := telemetry.NewLogger(c.ErrOrStderr(), opt.log)
	if err != nil {
		return err
	}
	cfg.Logger, cfg.Version, cfg.Secrets = log, version(), secretReader()
	cfg.Supervisor = telemetry.Supervisor{Socket: os.Getenv("NOTIFY_SOCKET")}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from here on it ends nothing
	n, err := node.Start(c.Context(), *cfg)
	if err != nil && errors.Is(err, context.Cause(c.Context())) {
		log.Info("stopped before it served")
		return nil
	}
	if err != nil {
		return err
	}
	defer reloadOn(hangups, n)()
	failure := n.Wait(c.Context())
	log.Info("stopping")
	if err := n.Stop(context.WithoutCancel(c.Context())); err != nil {
		return errors.Join(failure, fmt.Errorf("stop: %w", err))
	}
	if failure != nil {
		return failure
	}
	log.Info("stopped")
	return nil
}

// reloadOn reads files of certificates again at every SIGHUP, until stop is called.
func reloadOn(hangups chan os.Signal, n *node.Node) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			n.Reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
