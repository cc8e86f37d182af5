package sqs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"coffer/internal/broker"
	"coffer/internal/control"
)

// row is a stored queue; doc/format/control.md describes it. Nobody changes one that
// others can see.
type row struct {
	Version  int       `json:"version"`
	ID       uuid.UUID `json:"id"` // of the broker's namespace, too
	Account  string    `json:"account"`
	Region   string    `json:"region"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Purged   time.Time `json:"purged,omitzero"`
	Purging  bool      `json:"purging,omitempty"` // noted, and not known to be done
	// Attributes are those that somebody has set, as AWS spells them.
	Attributes map[string]string `json:"attributes,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Tasks      []task            `json:"tasks,omitempty"` // the latest first

	rules *rules // what Attributes say
}

const rowVersion = 1

func (r *row) address() address { return address{realmName{r.Account, r.Region}, r.Name} }

func (r *row) namespace() broker.NamespaceID { return broker.NamespaceID(r.ID) }

// rowID finds a queue by its name, which is unique in account and Region.
func rowID(m MACs, a address) []byte {
	return m.MAC("sqs/queue", a.account, a.region, a.name)
}

func decodeRow(value []byte) (r *row, err error) {
	r = &row{}
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if r.Version != rowVersion {
		return nil, fmt.Errorf("queue %s: row version %d", r.ID, r.Version)
	}
	if r.rules, err = newRules(r.address(), r.Attributes); err != nil {
		return nil, fmt.Errorf("queue %s: %w", r.ID, err)
	}
	return r, nil
}

// find reads a queue; nil when there is none.
func find(tx *control.Tx, a address) (*row, error) {
	v, ok, err := tx.Get(control.TableSQS, rowID(tx, a))
	if err != nil || !ok {
		return nil, err
	}
	return decodeRow(v)
}

func scanRows(tx *control.Tx, fn func(*row)) error {
	return tx.Scan(control.TableSQS, nil, func(_, value []byte) error {
		r, err := decodeRow(value)
		if err == nil {
			fn(r)
		}
		return err
	})
}

// put stores the row; when it is durable, the service has it.
func (s *Service) put(tx *control.Tx, r *row) error {
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode queue: %w", err)
	}
	tx.Put(control.TableSQS, rowID(tx, r.address()), v)
	tx.After(func() { s.set(r) })
	return nil
}

// change stores another version of a queue that is there, which fn makes.
func (s *Service) change(tx *control.Tx, a address, fn func(r *row) error) error {
	old, err := find(tx, a)
	switch {
	case err != nil:
		return err
	case old == nil:
		return noQueue()
	}
	if err := fn(old); err != nil {
		return err
	}
	if old.rules, err = newRules(a, old.Attributes); err != nil {
		return err
	}
	return s.put(tx, old)
}
