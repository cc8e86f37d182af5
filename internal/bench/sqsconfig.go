package bench

import (
	"cmp"
	"crypto/rand"
	"strings"
	"time"

	"coffer/internal/aws/sigv4"
	"coffer/internal/fault"
)

// SQSTarget says where an SQS API is and who asks it.
type SQSTarget struct {
	URL    string // https://host:port, or http:// without TLS
	CA     string // file with the certificate authority's certificate; empty: the system's
	Region string // us-east-1
	Key    sigv4.Key
}

// SQSTargetFrom reads a target from what AWS's tools read, by name: AWS_ENDPOINT_URL and
// so on. Without credentials it is an error.
func SQSTargetFrom(get func(name string) string) (SQSTarget, error) {
	to := SQSTarget{
		URL: get("AWS_ENDPOINT_URL"), CA: get("AWS_CA_BUNDLE"),
		Region: cmp.Or(get("AWS_REGION"), get("AWS_DEFAULT_REGION")),
		Key: sigv4.Key{
			AccessKeyID:  get("AWS_ACCESS_KEY_ID"),
			Secret:       sigv4.NewSecret(get("AWS_SECRET_ACCESS_KEY")),
			SessionToken: get("AWS_SESSION_TOKEN"),
		},
	}
	if to.Key.AccessKeyID == "" {
		return to, fault.New(fault.Invalid,
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
	}
	return to, nil
}

// SQSConfig says which SQS API is measured and with what load. Each connection makes one
// request after another.
type SQSConfig struct {
	Target SQSTarget
	PID    int // of the server; 0: the local process that listens at the target, if any

	Senders   int // connections that send; 1
	Receivers int // connections that receive and delete; 0: nobody does
	// Together lets receivers begin with the load and not when it is over.
	Together bool
	Queues   int    // 1, and at most as many as Senders, who are dealt out to them
	Prefix   string // of the queues' names; a random one. The queues must not exist.
	FIFO     bool   // FIFO queues: each sender is one message group

	Size  int     // of a message in characters; 1024, and at least MinSQSSize
	Batch int     // messages of a request; 1, and at most 10
	Rate  float64 // messages per second of all senders; 0: as many as go
	Wait  int     // seconds that a receive may wait for a message; 1, and at most 20

	Preload  int64         // messages that are sent before the load
	Warmup   time.Duration // of the load, before it is measured
	Duration time.Duration // of the load; 0: only Preload comes and goes
	// Leave ends a run with its load: what waits is removed with its queue.
	Leave bool
	// Patience is how long nothing at all may happen before the run gives up; 30 s.
	Patience time.Duration
}

const maxSQSSize = 1 << 20

// settle fills in the defaults and refuses what makes no sense.
func (c *SQSConfig) settle() error {
	c.Senders, c.Queues = cmp.Or(c.Senders, 1), cmp.Or(c.Queues, 1)
	c.Size, c.Batch, c.Wait = cmp.Or(c.Size, 1<<10), cmp.Or(c.Batch, 1), cmp.Or(c.Wait, 1)
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	c.Prefix = cmp.Or(c.Prefix, "coffer-bench-"+strings.ToLower(rand.Text()[:8]))
	c.Target.Region = cmp.Or(c.Target.Region, "us-east-1")
	err := within([]bound{
		{"senders", int64(c.Senders), 1, maxConnections},
		{"receivers", int64(c.Receivers), 0, maxConnections},
		{"queues", int64(c.Queues), 1, int64(c.Senders)},
		{"size", int64(c.Size), MinSQSSize, maxSQSSize},
		{"batch", int64(c.Batch), 1, maxBatch},
		{"rate", int64(c.Rate), 0, 1 << 40},
		{"wait", int64(c.Wait), 0, 20},
		{"preload", c.Preload, 0, 1 << 40},
		{"warmup", int64(c.Warmup), 0, int64(24 * time.Hour)},
		{"duration", int64(c.Duration), 0, int64(24 * time.Hour)},
		{"patience", int64(c.Patience), int64(time.Millisecond), int64(24 * time.Hour)},
	})
	if err == nil && c.Duration == 0 && c.Preload == 0 {
		err = errNoLoad
	}
	return err
}
