package soak

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coffer/internal/amqpclient"
	"coffer/test/apiclient"
	"coffer/test/process"
)

// operate does what somebody at the host does in a window.
func (r *run) operate(ctx context.Context, step hostStep) {
	begun := time.Now()
	var err error
	switch step {
	case restart, kill:
		err = r.replace(ctx, step == kill)
	case backup:
		err = r.host.use(func(*place) error { return r.backUp(ctx) })
	case verify:
		err = r.host.use(func(*place) error { return r.verifyTrail(ctx) })
	case rotateRoot:
		err = r.host.use(func(*place) error { return r.rotate(ctx) })
	case rotateKey:
		err = r.host.use(func(*place) error { return r.rotatePlatform(ctx) })
	case renew:
		err = r.host.use(func(*place) error {
			_, err := r.host.command(ctx, "certificates", "renew", "--data", r.host.data)
			return err
		})
	case rotateCA:
		err = r.host.use(func(*place) error { return r.rotateAuthority(ctx) })
	case doctor:
		err = r.host.use(func(*place) error { return r.examine(ctx) })
	case createBroker:
		err = r.host.use(func(p *place) error { return r.passing(ctx, p) })
	}
	r.judge(string(step), err, begun)
}

// replace ends the process and starts the next one.
func (r *run) replace(ctx context.Context, kill bool) error {
	end := r.weather.begin(down)
	defer end()
	if !kill {
		r.ledger.Stopping()
	}
	return r.host.end(kill, func() error {
		r.ledger.Killed()
		return r.host.start(ctx)
	})
}

// backUp makes a backup of what is served, restores it elsewhere, and checks all of it.
func (r *run) backUp(ctx context.Context) error {
	h := r.host
	dir, err := os.MkdirTemp(filepath.Dir(h.data), "backup-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	to, data := filepath.Join(dir, "to"), filepath.Join(dir, "data")
	for _, args := range [][]string{
		{"backup", "--data", h.data, "--to", to},
		append([]string{"restore", "--from", to, "--data", data}, h.key()...),
		append([]string{"check", "--data", data}, h.key()...),
	} {
		if _, err := h.command(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// verifyTrail reads the whole trail and compares it with the heads that were kept.
func (r *run) verifyTrail(ctx context.Context) error {
	h := r.host
	args := []string{"audit", "verify", "--data", h.data, "--heads", h.heads}
	_, err := h.command(ctx, append(args, h.key()...)...)
	return err
}

// rotate goes over to another root key.
func (r *run) rotate(ctx context.Context) error {
	h := r.host
	file := filepath.Join(filepath.Dir(h.data), "root-"+rand.Text())
	_, err := h.command(ctx, "root", "rotate", "--data", h.data, "--to", file)
	if err != nil {
		return err
	}
	h.rootKey = file
	text, err := os.ReadFile(file)
	r.secrets(strings.TrimSpace(string(text)))
	return err
}

// rotatePlatform goes over to another platform key, unless as many as there may be are
// still in use.
func (r *run) rotatePlatform(ctx context.Context) error {
	args := append([]string{"platform", "rotate", "--data", r.host.data}, r.host.key()...)
	_, err := r.host.command(ctx, args...)
	if err != nil && strings.Contains(err.Error(), "platform keys are still needed") {
		return nil
	}
	return err
}

// rotateAuthority goes over to another authority. Clients read ca.pem when they connect.
func (r *run) rotateAuthority(ctx context.Context) error {
	defer r.weather.begin(signer)()
	for _, step := range []string{"begin", "switch", "end"} {
		_, err := r.host.command(ctx, "certificates", "rotate-ca", step, "--data", r.host.data)
		if err != nil {
			return err
		}
	}
	return nil
}

// examine asks for what is wrong, of which errors are findings and warnings are not: the
// root key lies beside the data.
func (r *run) examine(ctx context.Context) error {
	h := r.host
	result, err := process.Run(ctx, h.binary, append([]string{"doctor", "--data", h.data},
		h.key()...)...)
	if err == nil && result.Code > 1 {
		err = fmt.Errorf("coffer doctor: status %d: %s%s", result.Code, result.Out, result.Err)
	}
	return err
}

// passing makes a broker, moves a message through it, and deletes it again. Half of them
// lose a grant for ever before, as of a customer who changed his mind.
func (r *run) passing(ctx context.Context, p *place) error {
	b := &sealedBroker{password: "pw-" + rand.Text()}
	r.secrets(b.password)
	var err error
	if b.key, err = p.api.CreateKey(ctx); err != nil {
		return err
	}
	b.id, err = p.api.CreateBroker(ctx, "passing-"+b.password[3:9], b.key, "soak", b.password)
	if err != nil {
		return err
	}
	at, err := p.api.Await(ctx, b.id, running)
	if err != nil {
		return err
	}
	to, err := config(at, "soak", b.password, p.main.CA)
	if err == nil {
		err = roundTrip(ctx, to, "passing")
	}
	if err != nil {
		return err
	}
	if b.password[3]%2 == 0 {
		if err := r.revoke(ctx, p.api, b); err != nil {
			return err
		}
	}
	err = p.api.MQ(ctx, http.MethodDelete, "/v1/brokers/"+b.id, nil, nil)
	if err != nil {
		return err
	}
	return p.api.KMS(ctx, "ScheduleKeyDeletion",
		map[string]any{"KeyId": b.key, "PendingWindowInDays": 7}, nil)
}

// revoke takes the first grant of a broker away, which stops it.
func (r *run) revoke(ctx context.Context, api *apiclient.Client, b *sealedBroker) error {
	var out struct{ Grants []struct{ GrantId string } }
	err := api.KMS(ctx, "ListGrants", map[string]any{"KeyId": b.key}, &out)
	if err != nil || len(out.Grants) == 0 {
		return errors.Join(err, fmt.Errorf("%d grants", len(out.Grants)))
	}
	err = api.KMS(ctx, "RevokeGrant",
		map[string]any{"KeyId": b.key, "GrantId": out.Grants[0].GrantId}, nil)
	if err == nil {
		_, err = api.Await(ctx, b.id, critical)
	}
	return err
}

// final stops the process, and checks all that it leaves.
func (r *run) final(ctx context.Context) {
	end := r.weather.begin(down)
	defer end()
	r.judge("stop", r.host.end(false, func() error { return nil }), time.Now())
	r.judge("audit verify", r.verifyTrail(ctx), time.Now())
	args := append([]string{"check", "--data", r.host.data}, r.host.key()...)
	_, err := r.host.command(ctx, args...)
	r.judge("check", err, time.Now())
}

// roundTrip declares a queue, moves a message through it, and deletes it.
func roundTrip(ctx context.Context, to amqpclient.Config, queue string) error {
	c, err := dialLean(ctx, to, declaring(queue)...)
	if err != nil {
		return err
	}
	defer c.Close()
	return moveOne(c, queue)
}
