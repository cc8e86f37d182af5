package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"coffer/internal/audit"
	cofferapi "coffer/internal/aws/api/coffer"
	kmsapi "coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/service/cloudtrail"
	"coffer/internal/service/kms"
	"coffer/internal/service/sqs"
	"coffer/internal/store"
	"coffer/internal/telemetry"
)

// When data keys are removed that no message needs: behind what a start has to do, and so
// seldom that reading what is in the queues costs little.
const (
	sweepFirst = time.Hour
	sweepAgain = 24 * time.Hour
)

// startQueues opens the queues of SQS.
func (n *Node) startQueues(ctx context.Context) error {
	if err := n.sqs.Start(ctx); err != nil {
		return err
	}
	sweeping, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { n.sweepKeys(sweeping) })
	n.onStop(func(context.Context) error {
		cancel()
		work.Wait()
		return nil
	})
	return nil
}

// sweepKeys removes data keys of queues that no message needs, until ctx ends.
func (n *Node) sweepKeys(ctx context.Context) {
	for wait := sweepFirst; ; wait = sweepAgain {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		n.sweepOnce(ctx)
	}
}

func (n *Node) sweepOnce(ctx context.Context) {
	begun := time.Now()
	from := begun
	rest := func(ctx context.Context, _ store.ShardID, _ int) error {
		err := n.pause(ctx, time.Since(from))
		from = time.Now()
		return err
	}
	removed, err := n.sqs.SweepKeys(ctx, rest)
	n.counts.sweeps.removed.Add(removed)
	switch {
	case ctx.Err() != nil: // the process stops
	case err != nil:
		n.counts.sweeps.runs.With(failed).Inc()
		n.log.Error("data keys that no message needs could not be removed", "error", err)
	default:
		n.counts.sweeps.runs.With(done).Inc()
		n.counts.sweeps.last.Set(float64(time.Now().Unix()))
		if removed > 0 {
			n.log.Info("data keys were removed that no message needs", "keys", removed,
				"took", time.Since(begun))
		}
	}
}

// failed is the outcome of a sweep that met an error.
const failed = "failed"

// sweepCounts are the metrics of sweeps of data keys.
type sweepCounts struct {
	runs    telemetry.Counters
	removed telemetry.Counter
	last    telemetry.Gauge
}

func newSweepCounts(r *telemetry.Registry) sweepCounts {
	c := sweepCounts{
		runs: r.Counters("coffer_sqs_key_sweeps_total",
			"Daily looks for data keys of SQS queues that no message needs.", "outcome"),
		removed: r.Counter("coffer_sqs_data_keys_removed_total",
			"Data keys of SQS queues that were removed because no message needed them."),
		last: r.Gauge("coffer_sqs_key_sweep_last_timestamp_seconds",
			"When the last look for unneeded data keys of SQS queues ended well; 0: none has yet."),
	}
	for _, outcome := range []string{done, failed} {
		c.runs.With(outcome)
	}
	return c
}

// queueKeys is KMS as SQS reaches it.
type queueKeys struct {
	node *Node
	keys *kms.Service
}

var _ sqs.KMS = (*queueKeys)(nil)

// As is [sqs.KMS]'s.
func (k *queueKeys) As(w sqs.Who) kmsapi.Service {
	return kmsapi.Client{Caller: k.caller(w)}
}

// caller shows the service as the source of what it does for others, too: KMS never saw
// them (acceptance CT-05).
func (k *queueKeys) caller(w sqs.Who) *gateway.Caller {
	return &gateway.Caller{
		Gateway: k.node.gateway, Service: sqs.Principal, OnBehalf: w.OnBehalf,
		Account: w.Account, Region: w.Region, SourceARN: w.SourceARN,
		SourceIP: sqs.Principal, UserAgent: sqs.Principal,
	}
}

// Permitted is [sqs.KMS]'s.
func (k *queueKeys) Permitted(ctx context.Context, operation string, in any) error {
	return k.caller(sqs.Who{OnBehalf: true}).Permitted(ctx, &kmsapi.API, operation, in)
}

// Usable is [sqs.KMS]'s.
func (k *queueKeys) Usable(ctx context.Context, arn string) error {
	return k.keys.Usable(ctx, arn)
}

// EnsureManaged is [sqs.KMS]'s.
func (k *queueKeys) EnsureManaged(ctx context.Context, account, region string) (string, error) {
	return k.keys.EnsureManaged(ctx, account, region, "sqs")
}

// EnsureOwned is [sqs.KMS]'s.
func (k *queueKeys) EnsureOwned(ctx context.Context, region string) (string, error) {
	return k.keys.EnsureOwned(ctx, "sqs", region)
}

// queues is SQS as Coffer's own operations reach it.
type queues struct{ sqs *sqs.Service }

// Rekey is [coffer.Queues]'s.
func (q queues) Rekey(ctx context.Context, name, key string) (*cofferapi.RekeyQueueOutput, error) {
	r, err := q.sqs.Rekey(ctx, name, key)
	if err != nil {
		return nil, err
	}
	return &cofferapi.RekeyQueueOutput{
		QueueArn: r.Queue, KmsKeyId: r.Key, DataKeys: new(int32(r.Done)), Left: new(int32(r.Left)),
	}, nil
}

// selects tells whether a store wants a data event of SQS.
func (n *Node) selects(e *audit.Event) bool {
	return n.cloudtrail.Any() && slices.ContainsFunc(e.Resources, func(r audit.Resource) bool {
		return n.cloudtrail.Selects(&cloudtrail.DataEvent{
			Account: e.RecipientAccountID, Region: e.AWSRegion, Source: e.EventSource,
			Name: e.EventName, ReadOnly: e.ReadOnly, Type: r.Type, Resource: r.ARN,
		})
	})
}
