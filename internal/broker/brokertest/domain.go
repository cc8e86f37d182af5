package brokertest

import (
	"sync"
	"sync/atomic"

	"coffer/internal/broker"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Domain is a domain that a test locks and unlocks. It keeps its secret for
// ever, so that a restarted world can open what an earlier one sealed.
type Domain struct {
	secret seal.Secret
	blink  atomic.Bool
	opens  atomic.Int64 // until LockAfter locks it; 0: it does not

	mu     sync.RWMutex
	epochs *seal.Epochs // nil while locked
	start  uint32
	watch  []func()
}

var _ broker.Domain = (*Domain)(nil)

// NewDomain gives an open domain.
func NewDomain() *Domain {
	d := &Domain{secret: make(seal.Secret, seal.KeySize)}
	d.Unlock()
	return d
}

func (d *Domain) reason() error {
	return fault.New(fault.KeyUnavailable, "The key is disabled.")
}

// Seal implements broker.Domain.
func (d *Domain) Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return dst, d.reason()
	}
	return d.epochs.SealRecord(dst, h, seal.DomainID{1}, plaintext)
}

// Open implements broker.Domain.
func (d *Domain) Open(dst, rec []byte) ([]byte, error) {
	if d.opens.Load() > 0 && d.opens.Add(-1) == 0 {
		d.Lock()
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return dst, d.reason()
	}
	return d.epochs.OpenRecord(dst, rec, seal.DomainID{1})
}

// Locked implements broker.Domain.
func (d *Domain) Locked() error {
	if d.blink.CompareAndSwap(true, false) {
		return d.reason()
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.epochs == nil {
		return d.reason()
	}
	return nil
}

// Watch implements broker.Domain.
func (d *Domain) Watch(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch = append(d.watch, fn)
}

// Lock takes the key away and tells the watchers.
func (d *Domain) Lock() { d.set(nil) }

// Blink takes the key away for who next asks whether it is there, and for nobody
// else: it is back before a watcher looks.
func (d *Domain) Blink() { d.blink.Store(true) }

// LockAfter takes the key away when n records have been opened.
func (d *Domain) LockAfter(n int) { d.opens.Store(int64(n) + 1) }

// Unlock gives the key back and tells the watchers.
func (d *Domain) Unlock() {
	d.mu.Lock()
	d.start++
	start := d.start
	d.mu.Unlock()
	epochs, err := seal.NewEpochs(d.secret, "domain", start)
	if err != nil {
		panic(err) // the secret's size is right
	}
	d.set(epochs)
}

func (d *Domain) set(e *seal.Epochs) {
	d.mu.Lock()
	d.epochs = e
	watch := d.watch
	d.mu.Unlock()
	for _, fn := range watch {
		fn()
	}
}
