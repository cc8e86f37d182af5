package sqs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

// CreateQueue makes a queue. One that is there and has the attributes that the caller
// names is as good.
func (s *Service) CreateQueue(ctx context.Context, in *api.CreateQueueInput) (
	*api.CreateQueueOutput, error,
) {
	call := gateway.From(ctx)
	a := created(call, in)
	set := lowered(in.Attributes)
	r := &row{
		Version: rowVersion, ID: uuid.New(), Account: a.account, Region: a.region, Name: a.name,
		Attributes: withAttributes(nil, set), Tags: maps.Clone(in.Tags),
	}
	var err error
	if r.rules, err = newRules(a, r.Attributes); err != nil {
		return nil, err
	}
	if err := checkTags(r.Name, r.Tags); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		old, err := find(tx, a)
		if err != nil {
			return err
		}
		if old != nil {
			return old.like(set)
		}
		if err := s.room(a.account); err != nil {
			return err
		}
		if err := s.ensureManaged(ctx, tx, a.realmName); err != nil {
			return err
		}
		if err := s.ensureDefault(ctx, a, r.rules); err != nil {
			return err
		}
		if err := s.core.CreateNamespace(ctx, r.namespace()); err != nil {
			return err
		}
		if d := r.rules.redrive; d != nil {
			if err := d.check(tx, a); err != nil {
				return err
			}
		}
		r.Created, r.Modified = tx.Time(), tx.Time()
		return s.put(tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateQueueOutput{QueueUrl: a.url(call)}, nil
}

// maxQueues bounds the queues of an account in all Regions. AWS has no such quota; here
// each queue takes memory.
const maxQueues = 20_000

// room refuses one more queue than an account may have.
func (s *Service) room(account string) error {
	n := 0
	s.mu.RLock()
	defer s.mu.RUnlock()
	for a := range s.queues {
		if a.account == account {
			n++
		}
	}
	if n >= maxQueues {
		return &api.OverLimit{Message: fmt.Sprintf("An account can have at most %d queues.",
			maxQueues)}
	}
	return nil
}

// creatable checks a queue's name, which says what kind it is, as the attributes do.
func creatable(a address, set map[string]string) error {
	switch fifo := set["FifoQueue"] == "true"; {
	case a.name == "":
		return invalid("Queue name cannot be empty")
	case fifo && !(a.fifo() && goodName(a.name)):
		return invalid("The name of a FIFO queue can only include alphanumeric characters, " +
			"hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length")
	case !fifo && a.fifo() && set["FifoQueue"] == "" || !goodName(a.name):
		return invalid("Can only include alphanumeric characters, hyphens, or underscores. " +
			"1 to 80 in length")
	}
	return nil
}

// created is the queue that CreateQueue makes.
func created(call *gateway.Call, in *api.CreateQueueInput) address {
	return address{realmName{call.Account, call.Region}, wire.Or(in.QueueName, "")}
}

// like refuses a second creation with other attributes.
func (r *row) like(want map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if r.value(name) != want[name] {
			return &api.QueueNameExists{Message: "A queue already exists with the same name and " +
				"a different value for attribute " + name}
		}
	}
	return nil
}

// Finish brings to the broker what a call has changed of a queue. What a crash leaves
// undone is done at the start.
func (s *Service) Finish(ctx context.Context, _ *wire.Op, in any) error {
	switch in := in.(type) {
	case *api.CreateQueueInput:
		a := created(gateway.From(ctx), in)
		return cmp.Or(s.refresh(a), s.refreshSources(a))
	case *api.SetQueueAttributesInput:
		a, err := addressOf(gateway.From(ctx), in.QueueUrl)
		return cmp.Or(err, s.refresh(a))
	case *api.DeleteQueueInput:
		a, err := addressOf(gateway.From(ctx), in.QueueUrl)
		return cmp.Or(err, s.refreshSources(a))
	case *api.StartMessageMoveTaskInput:
		a, _ := addressOfARN(in.SourceArn)
		return s.refresh(a)
	case *api.CancelMessageMoveTaskInput:
		_, q, err := s.parseTask(in.TaskHandle)
		if err != nil {
			return nil // it is deleted
		}
		return s.refresh(q.address)
	case *api.PurgeQueueInput:
		q, p, err := s.data(ctx, in.QueueUrl)
		if err != nil {
			return err
		}
		return q.answer(s.purge(context.WithoutCancel(ctx), q, p))
	}
	return nil
}

// refresh opens a queue as it is now. One that was deleted meanwhile needs nothing.
func (s *Service) refresh(a address) error {
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return nil
	}
	_, err := s.open(q)
	return q.answer(err)
}
