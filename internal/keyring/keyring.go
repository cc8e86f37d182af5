// Package keyring holds the data keys of domains in memory and takes them away
// at once when the KMS says so. A domain is what one data key protects: a
// broker, an SQS queue.
//
// Guarantees: when Fence returns, no goroutine is inside a seal or open with a
// key under the fenced KMS key, none can begin one, and no key can come back
// while the fence stands, unless [Config.Delay] asks for AWS's way. A domain whose
// key cannot be had is locked: it refuses with the reason, loses nothing, and opens
// again by itself when the KMS gives the key. The keyring decides nothing: it asks
// the KMS through a [Source]. What Go's memory manager copied cannot be wiped for
// certain.
package keyring

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Source asks the KMS for the secret of a domain.
type Source interface {
	// OpenDomain gives the domain's secret, which the keyring then owns and
	// wipes. An error of kind [fault.Unavailable] or [fault.Internal] is tried
	// again by itself; any other stands until Recheck. Its text is shown to
	// clients as the reason.
	OpenDomain(ctx context.Context, id seal.DomainID) (seal.Secret, error)
}

// Config tunes a Keyring; the zero value is the default.
type Config struct {
	Retry time.Duration // pause before a failed source is asked again; default 2 s
	// Delay makes fences no fences, as AWS has it: keys that are in memory stay there for
	// so long after a change, and only then is the KMS asked. Default 0.
	Delay  time.Duration
	Logger *slog.Logger // default slog.Default
	// Fenced is told of every fence after it stands: the KMS key, the domains
	// that lost their key, and how long they took. Optional; must not block.
	Fenced func(key string, domains []seal.DomainID, took time.Duration)
	// Asked is told of every answer of a source: how long it took, and the error or nil.
	// Optional; must not block.
	Asked func(took time.Duration, err error)
}

// Keyring is the domains of one process.
type Keyring struct {
	cfg     Config
	numbers *seal.Numbers

	mu      sync.Mutex
	domains map[seal.DomainID]*Domain
	fences  []*fence
	closed  bool
	done    chan struct{} // closed with the keyring
	refresh sync.WaitGroup
}

// fence stands before a KMS key, or before one grant on it.
type fence struct {
	key, grant string
	why        error
}

func (f *fence) holds(d *Domain) bool {
	return d.key == f.key && (f.grant == "" || slices.Contains(d.grants, f.grant))
}

// New makes an empty keyring. start is the number of this process start; see
// [seal.NewNumbers]. A process has one keyring.
func New(start uint32, cfg Config) *Keyring {
	if cfg.Retry == 0 {
		cfg.Retry = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Keyring{
		cfg: cfg, numbers: seal.NewNumbers(start),
		domains: map[seal.DomainID]*Domain{}, done: make(chan struct{}),
	}
}

// Add registers a domain under the KMS key with this ARN, which rests on these
// grants (kept; may be empty). It is locked until its first Refresh succeeds.
// Adding an id twice gives the first domain.
func (k *Keyring) Add(id seal.DomainID, key string, grants []string, source Source) *Domain {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d, ok := k.domains[id]; ok {
		return d
	}
	ctx, cancel := context.WithCancel(context.Background())
	if k.closed {
		cancel()
	}
	d := &Domain{
		id: id, key: key, grants: grants, source: source, ring: k, ctx: ctx, cancel: cancel,
		asking: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		why: fault.New(fault.KeyUnavailable, "The key %s has not been opened yet.", key),
	}
	k.domains[id] = d
	return d
}

// Open asks the KMS for the key of a domain, now; where that fails for a passing
// reason it goes on in the background.
func (k *Keyring) Open(ctx context.Context, d *Domain) error {
	err := d.Refresh(ctx)
	if err != nil && passing(err) {
		k.spawn(d)
	}
	return err
}

// Rebind lets a domain rest on another KMS key and other grants (kept) from now on: what
// fences the former ones does not touch it any more. Its secret stays, so that is for
// sources that keep it under the new key too. Under a fence that stands before the new
// key it is locked; a domain that is locked without one asks its source again.
func (k *Keyring) Rebind(id seal.DomainID, key string, grants []string) {
	k.mu.Lock()
	d := k.domains[id]
	if d == nil {
		k.mu.Unlock()
		return
	}
	d.mu.Lock()
	d.key, d.grants = key, grants
	d.mu.Unlock()
	var why error
	for _, f := range k.fences {
		if f.holds(d) {
			why = f.why
		}
	}
	k.mu.Unlock()
	switch {
	case why != nil:
		d.lock(why)
		d.notify()
	case d.Locked() != nil:
		k.spawn(d)
	}
}

// Remove forgets a domain and its key; it stays locked for who still holds it.
func (k *Keyring) Remove(id seal.DomainID) {
	k.mu.Lock()
	d := k.domains[id]
	delete(k.domains, id)
	k.mu.Unlock()
	if d != nil {
		d.cancel()
		d.lock(fault.New(fault.KeyUnavailable, "The key of this broker was destroyed."))
		d.notify()
	}
}

// Fence takes every data key under the KMS key away and returns when no one
// uses one any more. lift ends the fence and lets the domains ask the KMS
// again; call it once, whatever became of the change that fenced.
func (k *Keyring) Fence(key string, why error) (lift func()) {
	return k.raise(&fence{key: key, why: why})
}

// FenceGrant is Fence for the domains that rest on one grant.
func (k *Keyring) FenceGrant(key, grant string, why error) (lift func()) {
	return k.raise(&fence{key: key, grant: grant, why: why})
}

func (k *Keyring) raise(f *fence) (lift func()) {
	if k.cfg.Delay > 0 {
		return sync.OnceFunc(func() { k.later(f) })
	}
	begin := time.Now()
	if f.why == nil {
		f.why = fault.New(fault.KeyUnavailable, "The key %s is being changed.", f.key)
	}
	k.mu.Lock()
	k.fences = append(k.fences, f)
	held := k.held(f)
	k.mu.Unlock()
	ids := make([]seal.DomainID, 0, len(held))
	for _, d := range held {
		d.lock(f.why)
		ids = append(ids, d.id)
	}
	took := time.Since(begin)
	if k.cfg.Fenced != nil {
		k.cfg.Fenced(f.key, ids, took)
	}
	for _, d := range held { // behind the fence: no watcher makes it later
		d.notify()
	}
	k.cfg.Logger.Info("keys fenced", "key", f.key, "grant", f.grant, "domains", len(ids),
		"took", took)
	return sync.OnceFunc(func() { k.lift(f) })
}

func (k *Keyring) lift(f *fence) {
	k.mu.Lock()
	k.fences = slices.DeleteFunc(k.fences, func(x *fence) bool { return x == f })
	held := k.held(f)
	k.mu.Unlock()
	for _, d := range held {
		k.spawn(d)
	}
}

// Held lists the domains that have a data key under the KMS key or, if one is
// named, rest on this grant on it; in no order.
func (k *Keyring) Held(key, grant string) (ids []seal.DomainID) {
	k.mu.Lock()
	held := k.held(&fence{key: key, grant: grant})
	k.mu.Unlock()
	for _, d := range held {
		if d.Locked() == nil {
			ids = append(ids, d.id)
		}
	}
	return ids
}

// Recheck lets every locked domain under the KMS key ask the KMS again, in the
// background. Call it when the key may have become usable.
func (k *Keyring) Recheck(key string) {
	k.mu.Lock()
	held := k.held(&fence{key: key})
	k.mu.Unlock()
	for _, d := range held {
		k.spawn(d)
	}
}

// Close locks every domain and waits for the background work. Domains that are
// added later never open. It is idempotent.
func (k *Keyring) Close() {
	k.mu.Lock()
	if !k.closed {
		close(k.done)
	}
	k.closed = true
	all := make([]*Domain, 0, len(k.domains))
	for _, d := range k.domains {
		all = append(all, d)
	}
	k.mu.Unlock()
	for _, d := range all {
		d.cancel()
		d.lock(fault.New(fault.Unavailable, "Coffer is stopping."))
		d.notify()
	}
	k.refresh.Wait()
}

func (k *Keyring) held(f *fence) []*Domain {
	var held []*Domain
	for _, d := range k.domains {
		if f.holds(d) {
			held = append(held, d)
		}
	}
	return held
}

// fenced gives the reason of the newest fence before d, or nil.
func (k *Keyring) fenced(d *Domain) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range slices.Backward(k.fences) {
		if f.holds(d) {
			return f.why
		}
	}
	return nil
}

// spawn lets the background work ask for d, again if it is asking now: its
// answer may be older than what spawn was called for.
func (k *Keyring) spawn(d *Domain) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed || d.ctx.Err() != nil:
	case d.working:
		select {
		case d.wake <- struct{}{}:
		default: // it will ask again already
		}
	default:
		d.working = true
		k.refresh.Go(func() { k.work(d) })
	}
}

// work refreshes d until it is open, or its source says something that waiting
// does not change, and nobody wants it to be asked again.
func (k *Keyring) work(d *Domain) {
	for {
		select {
		case <-d.wake: // what is asked now is as good
		default:
		}
		var pause <-chan time.Time
		if err := d.Refresh(d.ctx); err != nil && passing(err) {
			pause = time.After(k.cfg.Retry)
		} else if k.rest(d) {
			return
		}
		select {
		case <-d.ctx.Done():
			return
		case <-d.wake:
		case <-pause:
		}
	}
}

// rest ends the background work of d unless it is to ask again.
func (k *Keyring) rest(d *Domain) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(d.wake) > 0 {
		return false
	}
	d.working = false
	return true
}

func passing(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Internal
}
