package keyring

import (
	"context"
	"errors"
	"sync"

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
	key    string
	grants []string
	source Source
	ring   *Keyring
	ctx    context.Context // ends with the domain
	cancel context.CancelFunc

	asking sync.Mutex // one Refresh at a time

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
func (d *Domain) Key() string { return d.key }

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

// Watch registers fn to be called after every change between locked and open;
// fn reads the state itself and must not block.
func (d *Domain) Watch(fn func()) {
	d.watchMu.Lock()
	defer d.watchMu.Unlock()
	d.watch = append(d.watch, fn)
}

// Refresh asks the source for the secret unless the domain is open, and opens
// the domain with it. It returns the reason why the domain is locked, or nil.
func (d *Domain) Refresh(ctx context.Context) error {
	d.asking.Lock()
	defer d.asking.Unlock()
	d.mu.RLock()
	open, before := d.epochs != nil, d.fenced
	d.mu.RUnlock()
	if open {
		return nil
	}
	if why := d.ring.fenced(d); why != nil {
		return why
	}
	secret, err := d.source.OpenDomain(ctx, d.id)
	if err != nil {
		d.mu.Lock()
		d.why = locked(d.key, err)
		err = d.why
		d.mu.Unlock()
		d.notify()
		return err
	}
	defer secret.Wipe()
	epochs, err := seal.NewEpochs(secret, "domain", d.ring.start)
	if err != nil {
		return err
	}
	if err := d.install(epochs, before); err != nil {
		epochs.Wipe()
		return err
	}
	d.notify()
	return nil
}

// install opens the domain unless it was fenced since the source was asked: the
// answer may be older than the fence.
func (d *Domain) install(epochs *seal.Epochs, before uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fenced != before {
		return fault.Wrap(fault.Unavailable, errFenced, "The key is being changed.")
	}
	d.epochs, d.why = epochs, nil
	return nil
}

// lock takes the key away and returns when no reader is inside.
func (d *Domain) lock(why error) {
	d.mu.Lock()
	old := d.epochs
	d.epochs, d.why = nil, locked(d.key, why)
	d.fenced++
	d.mu.Unlock()
	if old != nil {
		old.Wipe()
	}
	d.notify()
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
	switch fault.KindOf(err) {
	case fault.KeyUnavailable, fault.Unavailable:
		return err
	case fault.Internal:
		return fault.Wrap(fault.Unavailable, err, "The key "+key+" cannot be reached now.")
	}
	return fault.Wrap(fault.KeyUnavailable, err, err.Error())
}
