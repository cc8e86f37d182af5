package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"coffer/internal/amqpclient"
	"coffer/test/apiclient"
	"coffer/test/process"
)

// patience bounds everything that must come to an end by itself.
const patience = 3 * time.Minute

// host is the data directory and the processes that serve it, one after another.
type host struct {
	binary, data string
	rootKey      string // file
	heads        string // file, of the audit trail
	log          *logbook
	secrets      func(words ...string)

	sealed *sealedBroker
	lives  int

	// place is read while it is locked for reading, and replaced when nobody uses it.
	sessions sync.RWMutex
	place    *place
}

// place is where a process serves, which the next one does elsewhere.
type place struct {
	*process.Process
	life         int
	begun        time.Time
	api          *apiclient.Client
	main, sealed amqpclient.Config
	management   string
}

// sealedBroker is the broker under a customer's key.
type sealedBroker struct {
	id, key, password string
	grants            []string
}

var errNowhere = errors.New("no process runs")

// use calls fn while the process is not replaced.
func (h *host) use(fn func(*place) error) error {
	h.sessions.RLock()
	defer h.sessions.RUnlock()
	if h.place == nil {
		return errNowhere
	}
	return fn(h.place)
}

// start starts a process while nobody uses the place.
func (h *host) start(ctx context.Context) error {
	h.place = nil
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{"--audit-heads", h.heads}
	if h.rootKey != "" {
		args = append(args, "--root-key", h.rootKey)
	}
	begun := time.Now()
	proc, err := process.StartLogged(ctx, h.log, h.binary, h.data, args...)
	if err != nil {
		return err
	}
	p := &place{Process: proc, life: h.lives, begun: begun}
	h.lives++
	if err := h.find(ctx, p); err != nil {
		return errors.Join(err, proc.Kill())
	}
	h.place = p
	return nil
}

// find fills in where the process serves.
func (h *host) find(ctx context.Context, p *place) error {
	env, err := p.Env(ctx)
	if err != nil {
		return err
	}
	if p.api, err = apiclient.New(env); err != nil {
		return err
	}
	p.main = amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
	p.management = env["COFFER_MANAGEMENT_URL"]
	admin, err := url.Parse(p.main.URL)
	if err != nil {
		return errors.New("the AMQP URL is malformed")
	}
	password, _ := admin.User.Password()
	h.secrets(env["AWS_SECRET_ACCESS_KEY"], password)
	if h.sealed == nil {
		if err := h.create(ctx, p.api); err != nil {
			return fmt.Errorf("create the sealed broker: %w", err)
		}
	}
	at, err := p.api.Describe(ctx, h.sealed.id)
	if err != nil {
		return err
	}
	p.sealed, err = config(at, "soak", h.sealed.password, p.main.CA)
	return err
}

// config is where clients of a broker connect.
func config(at apiclient.Broker, user, password, ca string) (amqpclient.Config, error) {
	if len(at.Instances) != 1 || len(at.Instances[0].Endpoints) != 1 {
		return amqpclient.Config{}, fmt.Errorf("the broker has %d instances", len(at.Instances))
	}
	u, err := url.Parse(at.Instances[0].Endpoints[0])
	if err != nil {
		return amqpclient.Config{}, err
	}
	u.User = url.UserPassword(user, password)
	u.Path = "/"
	u.RawPath = ""
	return amqpclient.Config{URL: u.String(), CA: ca}, nil
}

// create makes the sealed broker and its key.
func (h *host) create(ctx context.Context, api *apiclient.Client) (err error) {
	b := &sealedBroker{password: fmt.Sprintf("pw-%016x%016x", rand.Uint64(), rand.Uint64())}
	h.secrets(b.password)
	if b.key, err = api.CreateKey(ctx); err != nil {
		return err
	}
	if b.id, err = api.CreateBroker(ctx, "sealed", b.key, "soak", b.password); err != nil {
		return err
	}
	if _, err = api.Await(ctx, b.id, running); err != nil {
		return err
	}
	var out struct{ Grants []struct{ GrantId string } }
	err = api.KMS(ctx, "ListGrants", map[string]any{"KeyId": b.key}, &out)
	for _, g := range out.Grants {
		b.grants = append(b.grants, g.GrantId)
	}
	h.sealed = b
	return err
}

// end ends the process, waits until its clients have noticed, and calls then while
// nobody uses it.
func (h *host) end(kill bool, then func() error) error {
	p := h.place
	how := p.Stop
	if kill {
		how = p.Kill
	}
	err := within(how, p.Kill)
	h.sessions.Lock()
	defer h.sessions.Unlock()
	h.place = nil
	if err != nil {
		return err
	}
	return then()
}

// within runs what ends a process, and ends it by force when that takes too long.
func within(end, force func() error) error {
	done := make(chan error, 1)
	go func() { done <- end() }()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errors.Join(fmt.Errorf("the process did not end in %v", patience), force(), <-done)
	}
}

// command runs a command of the binary on the data directory, which must succeed.
func (h *host) command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := process.Run(ctx, h.binary, args...)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("coffer %s: status %d: %s%s", args[0], r.Code, r.Out, r.Err)
	}
	return r.Out, err
}

// key gives the arguments that name the root key.
func (h *host) key() []string {
	file := h.rootKey
	if file == "" {
		file = filepath.Join(h.data, "root.key")
	}
	return []string{"--root-key", file}
}
