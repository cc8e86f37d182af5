package sqs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	// A receive that finds nothing that it can open looks at so many messages, of which it
	// takes so many at once.
	maxPassed = 2000
	passBatch = 100
	// asideFor is how long messages under a KMS key that nobody can use let others pass, unless
	// a receive finds before that the key can be used again.
	asideFor = 30 * time.Second
)

// collect receives what the caller can open. What he cannot is passed over and goes back,
// not counted as received: the error is the answer only where nothing else can be had for
// as long as he waits. In FIFO queues it holds up its group.
func (s *Service) collect(
	ctx context.Context, q *queue, p *place, spec *broker.ReceiveSpec, show *shown,
) (got []api.Message, err error) {
	if err := s.endAside(ctx, p); err != nil {
		return nil, err
	}
	want, until := spec.Max, s.now().Add(spec.Wait)
	var taken, kept []broker.Delivery
	var why error
	for len(taken) < maxPassed {
		waits := spec.Wait > 0
		list, err := s.take(ctx, q, p, spec)
		if err != nil && why == nil {
			return nil, err // nothing was taken
		}
		if len(taken) == 0 {
			// Made again, it brings what it took then.
			want = min(max(want, len(list)), maxBatch)
		}
		taken = append(taken, list...)
		if len(list) > 0 && waits { // as of now, not as of when the wait began
			if err := gateway.From(ctx).Permitted(ctx); err != nil {
				return nil, p.refuse(ctx, taken, err)
			}
		}
		got = slices.Grow(got, min(len(list), want))
		for i := range list {
			if len(got) == want {
				kept = append(kept, list[i])
				continue
			}
			m, err := s.show(ctx, q, p, &list[i], show)
			if err != nil && list[i].Again {
				return nil, q.answer(err) // it stays as it was told
			}
			if err != nil {
				kept, why = append(kept, list[i]), err
				continue
			}
			got = append(got, *m)
		}
		if len(got) > 0 || len(list) == 0 || ctx.Err() != nil {
			break
		}
		spec.Wait, spec.Max = max(until.Sub(s.now()), 0), passBatch
		spec.First = true // made again, it would give the same
	}
	p.counts.took(len(got))
	if err := ctx.Err(); err != nil { // nobody is there to be told
		return nil, errors.Join(err, p.giveBack(ctx, taken, 0))
	}
	if err := s.passOver(ctx, q, p, kept); err != nil {
		return nil, errors.Join(err, why)
	}
	if len(got) == 0 && why == nil {
		why = s.whyAside(ctx, q, p)
	}
	if len(got) == 0 {
		return nil, q.answer(why)
	}
	return got, nil
}

// giveBack ends the leases of messages that were not told of.
func (p *place) giveBack(ctx context.Context, list []broker.Delivery, aside time.Duration) error {
	if len(list) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	refs := make([]broker.LeaseRef, len(list))
	for i := range list {
		refs[i] = list[i].Lease
	}
	var errs []error
	for part := range slices.Chunk(refs, broker.MaxLeaseRefs) {
		_, err := p.namespace.ReturnLeases(ctx, p.queue, part, aside)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// refuse gives back what was taken for a caller who may not have it, and gives err. What
// was told before stays as it was told.
func (p *place) refuse(ctx context.Context, taken []broker.Delivery, err error) error {
	taken = slices.DeleteFunc(taken, func(d broker.Delivery) bool { return d.Again })
	if failed := p.giveBack(ctx, taken, 0); failed != nil {
		return errors.Join(failed, err)
	}
	return err
}

// passOver gives messages back. Those that nobody can open now let the others of a standard
// queue pass; what one caller may not open is for others.
func (s *Service) passOver(ctx context.Context, q *queue, p *place, list []broker.Delivery) error {
	var back, aside []broker.Delivery
	for i := range list {
		h, err := seal.ParseRecord(list[i].Record)
		if err != nil {
			return err
		}
		k := p.sealer.realm.key(h.DataKey)
		if k == nil || q.fifo() || !k.blocked() {
			back = append(back, list[i])
			continue
		}
		aside = append(aside, list[i])
		p.mu.Lock()
		if p.aside == nil {
			p.aside = map[string]*dataKey{}
		}
		p.aside[k.row().Key] = k
		p.mu.Unlock()
	}
	return errors.Join(p.giveBack(ctx, back, 0), p.giveBack(ctx, aside, asideFor))
}

// blocked tells whether nobody can use the KMS key of a data key.
func (k *dataKey) blocked() bool {
	err := k.domain.Locked()
	return fault.KindOf(err) == fault.KeyUnavailable && !errors.Is(err, errIdle)
}

// asides gives a data key for each KMS key whose messages let others pass.
func (p *place) asides() map[string]*dataKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.aside)
}

// endAside brings messages back whose KMS key can be used again.
func (s *Service) endAside(ctx context.Context, p *place) error {
	for key := range p.asides() {
		if s.kms.Usable(ctx, key) != nil {
			continue
		}
		p.mu.Lock()
		delete(p.aside, key)
		p.mu.Unlock()
		if _, err := p.namespace.Aside(ctx, p.queue, true); err != nil {
			return err
		}
	}
	return nil
}

// whyAside tells why messages that are there cannot be had; nil when there are none.
func (s *Service) whyAside(ctx context.Context, q *queue, p *place) error {
	asides := p.asides()
	if len(asides) == 0 {
		return nil
	}
	n, err := p.namespace.Aside(ctx, p.queue, false)
	if err != nil || n == 0 {
		return err
	}
	for _, k := range asides {
		if err := s.opening(ctx, k, q.row.Load().rules.reuse); err != nil {
			return err
		}
	}
	return nil
}
