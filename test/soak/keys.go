package soak

import (
	"context"
	"fmt"
	"time"
)

// States of a broker that API calls show.
const (
	running  = "RUNNING"
	critical = "CRITICAL_ACTION_REQUIRED"
)

// The key's policy: the account may do everything, and with the second one nobody may
// use the key.
const (
	openPolicy = `{"Version":"2012-10-17","Statement":[` + accountMay + `]}`
	shutPolicy = `{"Version":"2012-10-17","Statement":[` + accountMay + `,{"Effect":"Deny",` +
		`"Principal":"*","Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],` +
		`"Resource":"*"}]}`
	accountMay = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},` +
		`"Action":"kms:*","Resource":"*"}`
)

// lock takes the sealed broker's key away, holds that, and gives it back.
func (r *run) lock(ctx context.Context, step keyStep, hold time.Duration) {
	end := r.weather.begin(locked)
	defer end()
	b := r.host.sealed
	away, back := r.disable(ctx, "DisableKey"), r.disable(ctx, "EnableKey")
	switch step {
	case denyKey:
		away, back = r.policy(ctx, shutPolicy), r.policy(ctx, openPolicy)
	case suspendBroker, suspendVolume:
		grant := b.grants[0]
		if step == suspendVolume {
			grant = b.grants[len(b.grants)-1]
		}
		away, back = r.keys(ctx, "suspend-grant", grant), r.keys(ctx, "resume-grant", grant)
	}
	r.insist(ctx, string(step), away, r.state(ctx, critical))
	wait(ctx, hold)
	r.insist(ctx, string(step)+", undone", back, r.state(ctx, running))
}

// insist does steps in order, from the first one again while the process ends meanwhile.
func (r *run) insist(ctx context.Context, what string, steps ...func(*place) error) {
	for ctx.Err() == nil {
		begun := time.Now()
		err := r.host.use(func(p *place) error {
			for _, step := range steps {
				if err := step(p); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || !r.judge(what, err, begun) {
			return
		}
		wait(ctx, again)
	}
}

func (r *run) disable(ctx context.Context, operation string) func(*place) error {
	return func(p *place) error {
		return p.api.KMS(ctx, operation, map[string]any{"KeyId": r.host.sealed.key}, nil)
	}
}

func (r *run) policy(ctx context.Context, text string) func(*place) error {
	return func(p *place) error {
		return p.api.KMS(ctx, "PutKeyPolicy", map[string]any{
			"KeyId": r.host.sealed.key, "PolicyName": "default", "Policy": text,
		}, nil)
	}
}

// keys runs `coffer keys`.
func (r *run) keys(ctx context.Context, verb, grant string) func(*place) error {
	return func(*place) error {
		_, err := r.host.command(ctx, "keys", verb, "--data", r.host.data,
			r.host.sealed.key, grant)
		return err
	}
}

// state waits until the sealed broker is in a state.
func (r *run) state(ctx context.Context, want string) func(*place) error {
	return func(p *place) error {
		ctx, cancel := context.WithTimeoutCause(ctx, patience,
			fmt.Errorf("not in %v", patience))
		defer cancel()
		_, err := p.api.Await(ctx, r.host.sealed.id, want)
		return err
	}
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
