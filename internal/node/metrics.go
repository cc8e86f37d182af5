package node

import (
	"sync"
	"time"

	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/store"
	"coffer/internal/telemetry"
)

// counts are the metrics of what the parts of the process tell when it happens; what
// they count by themselves is in observe.go. doc/operate/watch.md has all of them.
type counts struct {
	fences    telemetry.Histogram
	locked    telemetry.Counter
	asked     telemetry.Histograms
	events    telemetry.Counters
	deeds     telemetry.Counter // of events
	syncs     telemetry.Histogram
	confirms  *telemetry.Crowd
	requests  telemetry.Counters
	answers   telemetry.Histograms
	rootKeys  telemetry.Counter
	blocked   telemetry.Gauges
	blockings telemetry.Counters
	unusable  telemetry.Gauges // by setting
	sweeps    sweepCounts

	control, queues, reads shards
	last                   store.ShardID // of events of reads; set before it is opened

	mu   sync.Mutex
	held map[amqp091.Client]string // why clients are blocked
}

// shards are what is counted of the batches of some shards.
type shards struct{ commits, sizes telemetry.Histogram }

func newCounts(r *telemetry.Registry) *counts {
	c := &counts{
		fences: r.Histogram("coffer_fence_seconds",
			"Time until nobody used a data key under a KMS key that was taken away.", nil),
		locked: r.Counter("coffer_fenced_domains_total",
			"Data keys that fences took out of memory."),
		asked: r.Histograms("coffer_domain_open_seconds",
			"Time that the KMS took to give the data key of a domain, or to refuse it.", nil,
			"outcome"),
		events: r.Counters("coffer_audit_events_total",
			"Events put on the audit trail.", "category", "outcome"),
		syncs: r.Histogram("coffer_store_sync_seconds",
			"Time that the disk took to make a piece of the store's log durable.", nil),
		confirms: r.Crowd("coffer_confirm_seconds",
			"Time that durable messages waited for their confirm, as of the oldest of a batch."),
		requests: r.Counters("coffer_api_requests_total",
			"Requests of the AWS APIs that were answered.", "service", "operation", "code"),
		answers: r.Histograms("coffer_api_request_seconds",
			"Time to answer requests of the AWS APIs.", nil, "service", "operation"),
		rootKeys: r.Counter("coffer_root_key_replacements_total",
			"Times that the root key was replaced."),
		blocked: r.Gauges("coffer_amqp_clients_blocked",
			"Clients that were told to publish nothing.", "reason"),
		blockings: r.Counters("coffer_amqp_blocks_total",
			"Times that clients were told to publish nothing.", "reason"),
		unusable: r.Gauges("coffer_tls_files_unusable",
			"1 while files of certificates cannot be used, and older ones still are.", "setting"),
		sweeps: newSweepCounts(r),
		held:   map[amqp091.Client]string{},
	}
	commits := r.Histograms("coffer_store_commit_seconds",
		"Time from handing a batch to the store until it was durable.", nil, "shards")
	sizes := r.Histograms("coffer_store_batch_bytes", "Bytes of durable batches.",
		telemetry.Bytes(), "shards")
	for name, of := range map[string]*shards{
		"control": &c.control, "queues": &c.queues, "events": &c.reads,
	} {
		of.commits, of.sizes = commits.With(name), sizes.With(name)
	}
	c.deeds = c.events.With("data", done)
	for _, setting := range []string{settingCert, settingClientCA} {
		c.unusable.With(setting).Set(0)
	}
	for _, reason := range []string{forKey, forRoom, forOther} {
		c.blocked.With(reason).Set(0)
		c.blockings.With(reason)
	}
	for _, class := range append(keyring.Reasons(), opened) {
		c.asked.With(class)
	}
	return c
}

// fenced counts a fence that took keys of this many domains.
func (c *counts) fenced(domains int, took time.Duration) {
	c.fences.Observe(took.Seconds())
	c.locked.Add(domains)
}

// opened is the outcome of a question for a data key that was given.
const opened = "open"

// answered is the keyring's.
func (c *counts) answered(took time.Duration, err error) {
	outcome := keyring.ReasonOf(err)
	if err == nil {
		outcome = opened
	}
	c.asked.With(outcome).Observe(took.Seconds())
}

// synced is the store's.
func (c *counts) synced(took time.Duration) { c.syncs.Observe(took.Seconds()) }

// committed is the store's.
func (c *counts) committed(id store.ShardID, bytes int, took time.Duration) {
	k := c.queues
	switch id {
	case 0:
		k = c.control
	case c.last:
		k = c.reads
	}
	k.commits.Observe(took.Seconds())
	k.sizes.Observe(float64(bytes))
}

// confirmed is the queue core's.
func (c *counts) confirmed(messages int, waited time.Duration) {
	c.confirms.Observe(waited.Seconds(), messages)
}

// request is [gateway.Events]'s.
func (c *counts) request(service, operation, code string, _ int, took time.Duration) {
	c.requests.With(service, operation, code).Inc()
	c.answers.With(service, operation).Observe(took.Seconds())
}

// done is the outcome of what was not refused.
const done = "done"

// recorded is [gateway.Events]'s.
func (c *counts) recorded(e *audit.Event) {
	outcome := done
	if e.ErrorCode != "" {
		outcome = "refused"
	}
	c.events.With("management", outcome).Inc()
}

// Why clients are blocked.
const (
	forKey   = "key"
	forRoom  = "room"
	forOther = "other"
)

// block counts a client that is blocked, or with nil no more.
func (c *counts) block(client amqp091.Client, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.held[client]; ok {
		c.blocked.With(old).Add(-1)
		delete(c.held, client)
	}
	if why == nil {
		return
	}
	reason := forOther
	switch fault.KindOf(why) {
	case fault.KeyUnavailable:
		reason = forKey
	case fault.Exhausted:
		reason = forRoom
	}
	c.held[client] = reason
	c.blocked.With(reason).Add(1)
	c.blockings.With(reason).Inc()
}
