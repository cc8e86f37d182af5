package protocoltest

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Key is the key that [Domain.Disable] names.
const Key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// Domain seals for real and can be locked.
type Domain struct {
	epochs   *seal.Epochs
	watchers watchers

	mu  sync.RWMutex
	why error
	fns []func()

	// Opened counts calls of Open, and Fail gives an error for one; it may be nil.
	Opened atomic.Int64
	Fail   func(call int64) error
}

func newDomain(t testing.TB) *Domain {
	t.Helper()
	e, err := seal.NewEpochs(bytes.Repeat([]byte{9}, seal.KeySize), "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	return &Domain{epochs: e}
}

// Seal is [broker.Sealer]'s.
func (d *Domain) Seal(dst []byte, h seal.Header, plaintext []byte) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.why != nil {
		return dst, d.why
	}
	return d.epochs.SealRecord(dst, h, seal.DomainID{1}, plaintext)
}

// Open is its.
func (d *Domain) Open(dst, rec []byte) ([]byte, error) {
	if n := d.Opened.Add(1); d.Fail != nil {
		if err := d.Fail(n); err != nil {
			return dst, err
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.why != nil {
		return dst, d.why
	}
	return d.epochs.OpenRecord(dst, rec, seal.DomainID{1})
}

func (d *Domain) Locked() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.why
}

func (d *Domain) Watch(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fns = append(d.fns, fn)
}

// Set locks the domain for a reason, or opens it with nil.
func (d *Domain) Set(why error) {
	d.mu.Lock()
	d.why = why
	fns := d.fns
	d.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
	d.watchers.call()
}

// Disable locks the domain as a disabled key does.
func (d *Domain) Disable() {
	d.Set(fault.New(fault.KeyUnavailable, "%s is disabled.", Key))
}
