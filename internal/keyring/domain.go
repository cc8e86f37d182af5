package keyring

import (
	"context"
	"errors"
	"sync"
	"time"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// errFenced: the key was fenced while the source was asked.
var errFenced = errors.New("keyring: fenced meanwhile")

// Domain seals and opens the records of one broker or queue. It is safe for
// concurrent use; one call is one reader section, so callers keep a plaintext to
// 256 KiB where they can.
type Domain struct {
	id     seal.DomainID
	key    string   // written under both ring.mu and mu
	grants []string // likewise
	source Source
	ring   *Keyring
	ctx    context.Context // ends with the domain
	cancel context.CancelFunc

	asking chan struct{} // holds a token while the source is asked
	wake   chan struct{} // holds a token when the background work is to ask again

	working bool // the background work runs; guarded by ring.mu

	mu     sync.RWMutex
	epochs *seal.Epochs // nil while locked
	why    error        // why it is locked
	fenced uint64       // counts locks, so that a slow Refresh notices one

	watchMu sync.Mutex
	watch   []func()
}

// ID names the domain.
func (d *Domain) ID() seal.DomainID { return d.id }

// Key is the ARN of the KMS key.
func (d *Domain) Key() string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.key
}

// Locked is nil when the domain can seal and open, else the reason.
func (d *Domain) Locked() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return d.why
	}
	return nil
}

// Seal appends the record of plaintext to dst. When the domain is locked it
// returns dst as it was and the reason, of kind [fault.KeyUnavailable].
func (d *Domain) Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return dst, d.why
	}
	return d.epochs.SealRecord(dst, h, d.id, plaintext)
}

// Open appends the plaintext of rec to dst, or returns as Seal does.
func (d *Domain) Open(dst, rec []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return dst, d.why
	}
	return d.epochs.OpenRecord(dst, rec, d.id)
}

// Watch registers fn to be called after every change between locked and open and
// of the reason; fn reads the state itself, must not block, and must not begin a
// unit of work that writes: a fence is raised inside of one.
func (d *Domain) Watch(fn func()) {
	d.watchMu.Lock()
	defer d.watchMu.Unlock()
	d.watch = append(d.watch, fn)
}

// Refresh asks the source for the secret unless the domain is open, and opens
// the domain with it. It returns the reason why the domain is locked, or nil.
func (d *Domain) Refresh(ctx context.Context) error {
	select {
	case d.asking <- struct{}{}:
		defer func() { <-d.asking }()
	case <-ctx.Done():
		return locked(d.Key(), context.Cause(ctx))
	}
	d.mu.RLock()
	open, why, before := d.epochs != nil, d.why, d.fenced
	d.mu.RUnlock()
	switch {
	case open:
		return nil
	case d.ctx.Err() != nil: // removed, or the keyring is closed
		return why
	}
	if why := d.ring.fenced(d); why != nil {
		return locked(d.Key(), why)
	}
	epochs, err := d.ask(ctx)
	changed, err := d.install(epochs, err, before)
	if changed {
		d.notify()
	}
	return err
}

func (d *Domain) ask(ctx context.Context) (*seal.Epochs, error) {
	begin := time.Now()
	secret, err := d.source.OpenDomain(ctx, d.id)
	if fn := d.ring.cfg.Asked; fn != nil {
		fn(time.Since(begin), err)
	}
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	return seal.NewEpochsFrom(secret, "domain", d.ring.numbers)
}

// install takes the source's answer unless the domain was locked since it was
// asked: the answer may be older than the fence.
func (d *Domain) install(epochs *seal.Epochs, err error, before uint64) (changed bool, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.fenced != before:
		if epochs != nil {
			epochs.Wipe()
		}
		return false, fault.Wrap(fault.Unavailable, errFenced, "The key is being changed.")
	case err != nil:
		old := d.why
		d.why = locked(d.key, err)
		return old.Error() != d.why.Error(), d.why
	}
	d.epochs, d.why = epochs, nil
	return true, nil
}

// lock takes the key away and returns when no reader is inside. The caller
// calls notify afterwards.
func (d *Domain) lock(why error) {
	d.mu.Lock()
	old := d.epochs
	d.epochs, d.why = nil, locked(d.key, why)
	d.fenced++
	d.mu.Unlock()
	if old != nil {
		old.Wipe()
	}
}

func (d *Domain) notify() {
	d.watchMu.Lock()
	watch := d.watch
	d.watchMu.Unlock()
	for _, fn := range watch {
		fn()
	}
}

// locked makes sure that a reason has a kind and a text for clients.
func locked(key string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok || f.Kind == fault.Internal:
		return fault.Wrap(fault.Unavailable, err, "The key "+key+" cannot be reached now.")
	case f.Kind == fault.KeyUnavailable || f.Kind == fault.Unavailable:
		return err
	}
	return fault.Wrap(fault.KeyUnavailable, err, f.Text)
}
