package kms

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/store"
)

// Uses of keys are counted in memory and stored once a minute and at the end of
// the process, so that a use costs no write. What a killed process did not store
// is on the audit trail, which has every use before its answer; see lookBack.

const (
	// maxUses bounds the keys and grants whose last use waits to be stored. Those
	// above it are found on the audit trail only.
	maxUses = 100_000
	// maxUseContext bounds the encryption context that is kept of a use, in bytes
	// of JSON.
	maxUseContext = 1 << 10
	// useLag is how far behind the stored time of all uses stays, for uses that
	// happen while it is stored.
	useLag = 2 * time.Minute
	// useBatch bounds the uses that one unit of work stores.
	useBatch = 1000
)

// keyUse is the last successful use of a key or of a grant: a row of
// control.TableKeyUse.
type keyUse struct {
	Version   int               `json:"v"`
	At        time.Time         `json:"at"`
	Operation string            `json:"operation"`
	EventID   string            `json:"eventId,omitempty"` // empty: of another account
	RequestID string            `json:"requestId"`
	Who       string            `json:"who"`
	Via       string            `json:"via,omitempty"` // the service that called for Who
	Grant     string            `json:"grant,omitempty"`
	Context   map[string]string `json:"context,omitempty"`
}

// Rows of control.TableKeyUse.
const (
	useOfKey   = 'k' // key (16): the last use
	useOfGrant = 'g' // key (16), grant (32): the last use
	useTimes   = 't' // nothing: usesStored
)

// usesStored says which uses the table has: those from Since to Until.
type usesStored struct {
	Version int       `json:"v"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
}

// usedThing is a key, or a grant on it.
type usedThing struct {
	key   keyID
	grant grantID // zero: the key itself
}

func (t usedThing) row() []byte {
	if t.grant == (grantID{}) {
		return append([]byte{useOfKey}, t.key[:]...)
	}
	return append([]byte{useOfGrant}, grantRow(t.key, t.grant)...)
}

// uses are those that wait to be stored.
type uses struct {
	mu      sync.Mutex
	last    map[usedThing]*keyUse
	going   map[usedThing]*keyUse // they are being stored
	dropped bool                  // one did not fit
	storing sync.Mutex            // one flush at a time
	began   time.Time             // when this process began; set by the first flush
}

// used notes that the call of ctx used a key successfully.
func (s *Service) used(ctx context.Context, tx *control.Tx, k *key, op string,
	pairs map[string]string,
) {
	call := gateway.From(ctx)
	u := &keyUse{
		Version: rowVersion, At: tx.Time(), Operation: op, EventID: call.EventID(),
		RequestID: call.RequestID, Who: call.Principal.String(), Grant: call.AllowedBy(k.arn()),
	}
	if call.Account != k.Account {
		// The owner has an event of their own, see ownEvent, and learns from it no more
		// than the account.
		u.EventID, u.Who = "", rootOf(call.Account)["AWS"]
	}
	if call.InvokedBy != "" && call.InvokedBy != u.Who {
		u.Via = call.InvokedBy
	}
	if text, err := json.Marshal(pairs); err == nil && len(text) <= maxUseContext {
		u.Context = pairs
	}
	things := []usedThing{{key: k.id()}}
	if id, err := parseGrantID(u.Grant); err == nil {
		things = append(things, usedThing{k.id(), id})
	}
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	for _, t := range things {
		s.uses.add(t, u)
	}
}

// add keeps the newer of two uses; mu is held.
func (u *uses) add(t usedThing, n *keyUse) {
	old, ok := u.last[t]
	switch {
	case ok && old.At.After(n.At):
	case !ok && len(u.last) >= maxUses:
		u.dropped = true
	default:
		if u.last == nil {
			u.last = map[usedThing]*keyUse{}
		}
		u.last[t] = n
	}
}

// take gives some of the uses that wait, and whether they are all. mu is not held.
func (u *uses) take(most int) (some map[usedThing]*keyUse, all, dropped bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.last) <= most {
		u.going, u.last = u.last, nil
		dropped, u.dropped = u.dropped, false
		return u.going, true, dropped
	}
	some = make(map[usedThing]*keyUse, most)
	for t, n := range u.last {
		if len(some) == most {
			break
		}
		some[t] = n
		delete(u.last, t)
	}
	u.going = some
	return some, false, false
}

func (u *uses) begin(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.began.IsZero() {
		u.began = now
	}
}

func (u *uses) beginning() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.began
}

// went ends the storing of some uses; if it failed they wait again.
func (u *uses) went(some map[usedThing]*keyUse, dropped bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.going = nil
	if err == nil {
		return
	}
	for t, n := range some {
		u.add(t, n)
	}
	u.dropped = u.dropped || dropped
}

// FlushUses stores which keys and grants were used since the last time. Call it
// every minute or so, and when nothing can use keys any more.
func (s *Service) FlushUses(ctx context.Context) error {
	s.uses.storing.Lock()
	defer s.uses.storing.Unlock()
	for {
		some, all, dropped := s.uses.take(useBatch)
		err := s.update(ctx, func(tx *control.Tx) error {
			for t, n := range some {
				if err := t.store(tx, n); err != nil {
					return err
				}
			}
			return s.stored(tx, len(some), all && !dropped)
		})
		s.uses.went(some, dropped, err)
		if err != nil {
			return fmt.Errorf("store uses of keys: %w", err)
		}
		if all {
			return nil
		}
	}
}

// store saves the use unless what was used is gone.
func (t usedThing) store(tx *control.Tx, n *keyUse) error {
	k, err := load(tx, t.key)
	if err != nil || k == nil {
		return err
	}
	if t.grant != (grantID{}) {
		if g, err := loadGrant(tx, t.key, t.grant); err != nil || g == nil {
			return err
		}
	}
	v, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("save use: %w", err)
	}
	tx.Put(control.TableKeyUse, t.row(), v)
	return nil
}

// stored moves the time on up to which all uses are stored. Where nothing was
// used it stays: there is nothing between.
func (s *Service) stored(tx *control.Tx, n int, all bool) error {
	times, err := loadUsesStored(tx)
	if err != nil {
		return err
	}
	if times == nil {
		times = &usesStored{Since: tx.Time(), Until: tx.Time()}
		n, all = 1, true
	}
	s.uses.begin(tx.Time())
	if n == 0 || !all {
		return nil
	}
	if until := tx.Time().Add(-useLag); until.After(times.Until) {
		times.Until = until
	}
	times.Version = rowVersion
	v, err := json.Marshal(times)
	if err != nil {
		return fmt.Errorf("save time of uses: %w", err)
	}
	tx.Put(control.TableKeyUse, []byte{useTimes}, v)
	return nil
}

func loadUsesStored(tx *control.Tx) (*usesStored, error) {
	v, ok, err := tx.Get(control.TableKeyUse, []byte{useTimes})
	if err != nil || !ok {
		return nil, err
	}
	times := &usesStored{}
	if err := decode(v, times); err != nil {
		return nil, fmt.Errorf("time of uses: %w", err)
	}
	if times.Version != rowVersion {
		return nil, fmt.Errorf("%w: time of uses", store.ErrDamaged)
	}
	return times, nil
}

// lastUse gives the last use of a key or grant; nil when none is known.
func (s *Service) lastUse(tx *control.Tx, t usedThing) (*keyUse, error) {
	s.uses.mu.Lock()
	n := cmp.Or(s.uses.last[t], s.uses.going[t])
	s.uses.mu.Unlock()
	if n != nil {
		return n, nil
	}
	v, ok, err := tx.Get(control.TableKeyUse, t.row())
	if err != nil || !ok {
		return nil, err
	}
	n = &keyUse{}
	if err := decode(v, n); err != nil {
		return nil, fmt.Errorf("use: %w", err)
	}
	if n.Version != rowVersion {
		return nil, errors.Join(store.ErrDamaged, errors.New("use of a key"))
	}
	return n, nil
}
