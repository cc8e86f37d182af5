// Package node builds one Coffer process from one Config: it opens the data
// directory, wires stores, services and doors, and stops them in order.
// services.go and protocols.go are the two tables of what runs.
//
// It guarantees that a second process on the directory, a wrong root key, a
// damaged store or a port in use is an error that names the thing, and that none
// of them changes what is stored. It holds no rule of its own: what a service or a
// protocol does is theirs.
package node

import (
	"context"
	"crypto/fips140"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/lint"
	"coffer/internal/rabbitmq"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/service/kms"
	"coffer/internal/telemetry"
	"coffer/internal/tlsx"
)

// Defaults of Config.
const (
	Account = "000000000000" // of the first start
	Region  = "us-east-1"    // that clients are told; any other works too

	DefaultAPIPort        = 4566
	DefaultAMQPPort       = 5671
	DefaultAMQPPlainPort  = 5672
	DefaultMetricsPort    = 9566
	DefaultManagementPort = 15671
	DefaultBrokerPorts    = "15700-15999"

	DefaultConsumerTimeout = 30 * time.Minute

	Immediate              = "immediate" // ways of Config.Revocation
	Delayed                = "delayed"
	DefaultRevocationDelay = 5 * time.Minute
)

// Config is everything that can be set. The zero value of a field is the
// default named in its comment.
type Config struct {
	Data     string // directory; ./coffer-data
	Listen   string // address; 127.0.0.1
	Hostname string // in certificates and endpoints; localhost
	// RootKey is where the root key comes from, as [rootkey.ParseSource] reads it; "" is
	// the usual place of what it is made of: <data>/root.key, the terminal.
	RootKey string
	Secrets rootkey.Reader
	// unseal waits for shares of the root key; nil: they are asked for, or read.
	unseal func(context.Context, *rootKeeper) (seal.Secret, error)

	APIPort, AMQPPort, AMQPPlainPort, MetricsPort int
	ManagementPort                                int
	BrokerPorts                                   string // "15700-15999"
	AutoPorts                                     bool   // let the system choose every port

	TLSCert, TLSKey []string // files of own certificates; in pairs
	// TLSProfile is what listeners speak: modern, compatible or fips; "" is fips in a
	// build with Go's FIPS 140-3 module, else compatible.
	TLSProfile string
	tlsProfile tlsx.Profile
	// ClientCA are files of certificates (PEM) whose holders sign those of AMQP clients;
	// none: clients are not asked for certificates.
	ClientCA []string
	// ClientLoginFrom is what of a client's certificate names its user; see
	// [rabbitmq.LoginFrom].
	ClientLoginFrom string
	loginFrom       rabbitmq.LoginFrom

	// InsecureLoopback opens plaintext listeners on loopback for test suites
	// that cannot do TLS.
	InsecureLoopback bool

	// AuditHeads is a file that signed heads of the audit trail are appended to; none.
	AuditHeads string

	// LowWater is the free space on the disk of Data below which new messages are
	// refused: a size such as 2GiB or a part such as 10%, 1% to 25%. "" means 5 %,
	// at least 512 MiB, at most 8 GiB; it is never above a quarter of the disk.
	LowWater        string
	lowWaterBytes   uint64
	lowWaterPercent int

	// MaxMessage is the size of the largest body of a message, such as 1MiB; 16MiB,
	// at most 128MiB.
	MaxMessage      string
	maxMessageBytes int

	// Revocation is "immediate", or "delayed" as AWS's is: then brokers keep the keys they
	// have for RevocationDelay (5 min) after a key was disabled or a grant revoked.
	Revocation      string
	RevocationDelay time.Duration
	revocationDelay time.Duration

	// KMSRates bound how often accounts may call the KMS, as [kms.ParseRates] reads
	// them; "" is not at all.
	KMSRates string
	kmsRates kms.Rates

	// ExplainDenials tells who may not have the messages of another account's queue why KMS
	// refused, and what has to be done about it; AWS's words alone name no cause.
	ExplainDenials bool

	// ConsumerTimeout is how long a client of AMQP 0-9-1 may leave a delivery unsettled
	// before its channel is closed; 30 min, negative: for ever.
	ConsumerTimeout time.Duration

	// Lint says what is done about names, tags and descriptions that look like personal
	// data or secrets: off, warn or refuse; "" is warn.
	Lint     string
	lintMode lint.Mode

	// Traces is the URL of a collector of OpenTelemetry, which is told of requests; "": none
	// is. TracesCA is a file of certificates (PEM) that its is checked with, "" the system's.
	// TracesRatio is the share of requests that are traced unless their client decides;
	// 0 to 1.
	Traces, TracesCA string
	TracesRatio      float64

	Version string       // of the binary, shown to clients
	Logger  *slog.Logger // slog.Default
	// Names, if not nil, are those that Logger hides; they get a digest that all processes
	// on the directory share.
	Names *telemetry.Names
	// Supervisor hears when the process serves, waits for shares of its root key, and stops.
	Supervisor telemetry.Supervisor

	gauge *gauge // nil = nothing is measured
	// drain is how long a stop waits for connections to say goodbye; 0 = 10 s.
	drain time.Duration
}

// gauge is for measurements in this package.
type gauge struct {
	sealer  func(broker.Domain) broker.Domain // stands between a broker and its domain
	arrived func()                            // a request of an API is there
	fenced  func()                            // a fence stands
}

// readRules reads what is said of names, and of the rates of requests.
func (c *Config) readRules() (err error) {
	if c.lintMode, err = lint.ParseMode(c.Lint); err != nil {
		return fault.New(fault.Invalid, "--lint: %v", err)
	}
	if !(c.TracesRatio >= 0 && c.TracesRatio <= 1) {
		return fault.New(fault.Invalid, "--traces-ratio: %v is not of 0 to 1", c.TracesRatio)
	}
	if c.kmsRates, err = kms.ParseRates(c.KMSRates); err != nil {
		return fault.New(fault.Invalid, "--kms-rates: %v", err)
	}
	return nil
}

// fill sets the defaults and refuses what cannot be.
func (c *Config) fill() error {
	set(&c.Data, "./coffer-data")
	set(&c.Listen, "127.0.0.1")
	set(&c.Hostname, "localhost")
	set(&c.APIPort, DefaultAPIPort)
	set(&c.AMQPPort, DefaultAMQPPort)
	set(&c.AMQPPlainPort, DefaultAMQPPlainPort)
	set(&c.MetricsPort, DefaultMetricsPort)
	set(&c.ManagementPort, DefaultManagementPort)
	set(&c.BrokerPorts, DefaultBrokerPorts)
	set(&c.ConsumerTimeout, DefaultConsumerTimeout)
	set(&c.Revocation, Immediate)
	set(&c.RevocationDelay, DefaultRevocationDelay)
	set(&c.Version, "unknown")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	for flag, port := range map[string]int{"--api-port": c.APIPort, "--amqp-port": c.AMQPPort,
		"--amqp-plain-port": c.AMQPPlainPort, "--metrics-port": c.MetricsPort,
		"--management-port": c.ManagementPort} {
		if port < 1 || port > 65535 {
			return fault.New(fault.Invalid, "%s: %d is not a port", flag, port)
		}
	}
	switch {
	case c.Revocation == Delayed && c.RevocationDelay > 0:
		c.revocationDelay = c.RevocationDelay
	case c.Revocation != Immediate:
		return fault.New(fault.Invalid, "--revocation: %q, by %v, is neither %s nor %s by a time",
			c.Revocation, c.RevocationDelay, Immediate, Delayed)
	}
	if _, err := netip.ParseAddr(c.Listen); err != nil && c.Listen != "localhost" {
		return fault.New(fault.Invalid,
			"--listen: %q is neither an IP address nor localhost", c.Listen)
	}
	if len(c.TLSCert) != len(c.TLSKey) {
		return fault.New(fault.Invalid,
			"--tls-cert and --tls-key: give one key for each certificate")
	}
	var err error
	if err = c.readRules(); err != nil {
		return err
	}
	if c.tlsProfile, err = tlsProfile(c.TLSProfile); err != nil {
		return err
	}
	if _, _, err := c.portRange(); err != nil {
		return err
	}
	if err := c.checkAuditHeads(); err != nil {
		return err
	}
	if c.lowWaterBytes, c.lowWaterPercent, err = parseLowWater(c.LowWater); err != nil {
		return err
	}
	if c.loginFrom, err = rabbitmq.ParseLoginFrom(c.ClientLoginFrom); err != nil {
		return fault.New(fault.Invalid, "--client-login-from: %v", err)
	}
	set(&c.MaxMessage, DefaultMaxMessage)
	set(&c.drain, 10*time.Second)
	if c.maxMessageBytes, err = parseMaxMessage(c.MaxMessage); err != nil {
		return err
	}
	if c.InsecureLoopback && !c.loopback() {
		return fault.New(fault.Invalid, "--insecure-loopback: refused with --listen %s, "+
			"which is not a loopback address", c.Listen)
	}
	return nil
}

// tlsProfile finds the profile of listeners. That of ActiveMQ is for its own doors.
func tlsProfile(name string) (tlsx.Profile, error) {
	if name == "" {
		if fips140.Enabled() {
			return tlsx.FIPS, nil
		}
		return tlsx.Compatible, nil
	}
	p, err := tlsx.ParseProfile(name)
	if err != nil || p == tlsx.ActiveMQ {
		return "", fault.New(fault.Invalid, "--tls-profile: %q is neither modern, compatible "+
			"nor fips", name)
	}
	return p, nil
}

func set[T comparable](field *T, value T) {
	if zero := *new(T); *field == zero {
		*field = value
	}
}

func (c *Config) loopback() bool {
	if c.Listen == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(c.Listen)
	return err == nil && a.IsLoopback()
}

func (c *Config) portRange() (low, high int, err error) {
	first, last, _ := strings.Cut(c.BrokerPorts, "-")
	low, err = strconv.Atoi(first)
	if err == nil {
		high, err = strconv.Atoi(last)
	}
	if err != nil || low < 1 || high > 65535 || low > high {
		return 0, 0, fault.New(fault.Invalid,
			"--broker-ports: %q is not a range such as 15700-15999", c.BrokerPorts)
	}
	return low, high, nil
}
