package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// useInterval is how far what is stored of a key's last use may lag behind. A
// write for each request would cost more than most requests.
const useInterval = 5 * time.Minute

// use is a row of control.TableIAMUse: MAC of the access key id (16).
type use struct {
	At      time.Time `json:"at"`
	Service string    `json:"service"`
	Region  string    `json:"region"`
}

// storedUse is what the store has of an access key's use.
type storedUse struct {
	known bool // there is the key
	at    time.Time
}

// uses holds the last use of access keys since the process started. Only keys that
// exist come in, and they leave when they are deleted.
type uses struct {
	mu   sync.Mutex
	last map[string]use // by access key id
}

func (u *uses) set(id string, v use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[string]use{}
	}
	if v.At.After(u.last[id].At) {
		u.last[id] = v
	}
}

func (u *uses) get(id string) use {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last[id]
}

func (u *uses) forget(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.last, id)
}

// NoteUse remembers that a request was signed with an access key. It is durable at
// once for a key that was not used lately, else with a later use.
func (s *Service) NoteUse(ctx context.Context, accessKeyID, service, region string) error {
	var stored storedUse
	v := use{Service: service, Region: region}
	err := s.db.Peek(ctx, func(_ context.Context, tx *control.Tx) (err error) {
		v.At = tx.Time()
		stored, err = s.stored.Get(tx, accessKeyID, func() (u storedUse, err error) {
			key, err := loadKey(tx, accessKeyID)
			if err != nil || key == nil {
				return u, err
			}
			u.known = true
			last, err := loadUse(tx, accessKeyID)
			u.at = last.At
			return u, err
		})
		return err
	})
	if err != nil || !stored.known {
		return err
	}
	s.uses.set(accessKeyID, v)
	if v.At.Sub(stored.at) < useInterval {
		return nil
	}
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		key, err := loadKey(tx, accessKeyID)
		if err != nil || key == nil { // it was deleted meanwhile
			return err
		}
		return put(tx, control.TableIAMUse, keyKey(tx, accessKeyID), v)
	})
}

// loadUse reads the stored last use of a key; a zero time means none.
func loadUse(tx *control.Tx, id string) (v use, err error) {
	b, ok, err := tx.Get(control.TableIAMUse, keyKey(tx, id))
	if err != nil || !ok {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%w: last use of access key %s", store.ErrDamaged, id)
	}
	return v, nil
}

// lastUse is the last use of a key, be it stored yet or not.
func (r *request) lastUse(id string) (use, error) {
	v, err := loadUse(r.tx, id)
	if now := r.s.uses.get(id); now.At.After(v.At) {
		v = now
	}
	return v, err
}

// foreignKey is AWS's answer for a key that is not of the caller's account, be it
// of another one or of nobody.
func foreignKey(call *gateway.Call, id string) error {
	return fault.New(fault.Denied, "User: %s is not authorized to perform: "+
		"iam:GetAccessKeyLastUsed on resource: access key %s", call.Principal.String(), id)
}

// GetAccessKeyLastUsed tells when, for which service and in which Region a key was
// last used. A request that was denied is a use too.
func (s *Service) GetAccessKeyLastUsed(
	ctx context.Context, in *api.GetAccessKeyLastUsedInput,
) (*api.GetAccessKeyLastUsedOutput, error) {
	none := "N/A"
	last := &api.AccessKeyLastUsed{ServiceName: none, Region: none}
	out := &api.GetAccessKeyLastUsedOutput{AccessKeyLastUsed: last}
	return out, s.view(ctx, func(r *request) error {
		row, err := loadKey(r.tx, in.AccessKeyId)
		if err != nil {
			return err
		}
		if row == nil || row.Account != r.account() {
			return foreignKey(r.call, in.AccessKeyId)
		}
		if row.User != "" {
			e, err := existing(r.tx, row.Account, userKind, row.User)
			if err != nil {
				return err
			}
			out.UserName = e.Name
		}
		v, err := r.lastUse(row.ID)
		if !v.At.IsZero() {
			last.LastUsedDate, last.ServiceName, last.Region = shownTime(v.At), v.Service, v.Region
		}
		return err
	})
}
