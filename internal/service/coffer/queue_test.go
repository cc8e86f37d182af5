package coffer

import (
	"context"
	"testing"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// rekeyed is a Queues that refuses by the name of the queue.
type rekeyed struct{}

func (rekeyed) Rekey(_ context.Context, queue, key string) (*api.RekeyQueueOutput, error) {
	switch queue {
	case "gone":
		return nil, fault.New(fault.NotFound, "no queue")
	case "lost":
		return nil, fault.New(fault.KeyUnavailable, "the old one is disabled")
	case "none":
		return nil, fault.New(fault.Invalid, "no key")
	}
	return &api.RekeyQueueOutput{QueueArn: "arn of " + queue, KmsKeyId: key}, nil
}

// TestRekeyQueue hands on what is asked for, and answers each refusal with its code.
func TestRekeyQueue(t *testing.T) {
	t.Parallel()
	c := newWorld(t, 0).client(policy.RootPrincipal(account))
	rekey := func(queue string) (*api.RekeyQueueOutput, error) {
		return c.RekeyQueue(t.Context(), &api.RekeyQueueInput{QueueName: queue, KmsKeyId: "k"})
	}
	if out, err := rekey("q"); err != nil || out.QueueArn != "arn of q" || out.KmsKeyId != "k" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := rekey("gone"); !is[*api.QueueNotFoundException](err) {
		t.Errorf("no queue: %v", err)
	}
	if _, err := rekey("lost"); !is[*api.KeyUnavailableException](err) {
		t.Errorf("a lost key: %v", err)
	}
	if _, err := rekey("none"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no key: %v", err)
	}
}
