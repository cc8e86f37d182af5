package cloudtrail

import (
	"context"
	"strconv"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
)

// selection is what the stores select, in memory.
type selection struct{ rows []*row }

// DataEvent is what a selector may ask of a data event.
type DataEvent struct {
	Account, Region string
	Source, Name    string
	ReadOnly        bool
	Type, Resource  string // [audit.TypeQueue] or [audit.TypeSQS], and the ARN of one
}

// Load reads what the stores select. It is called before the brokers start.
func (s *Service) Load(ctx context.Context) error {
	var list []*row
	err := s.db.View(ctx, func(_ context.Context, tx *control.Tx) (err error) {
		list, err = stores(tx, nil)
		return err
	})
	if err == nil {
		s.selected.Store(&selection{list})
	}
	return err
}

// Any tells whether any store selects data events.
func (s *Service) Any() bool {
	for _, r := range s.selected.Load().rows {
		for i := range r.Selectors {
			for _, f := range r.Selectors[i].FieldSelectors {
				if r.Status == enabled && f.Field == "resources.type" {
					return true
				}
			}
		}
	}
	return false
}

// Selects tells, from memory, whether a store wants a data event.
func (s *Service) Selects(e *DataEvent) bool {
	event := map[string]string{
		"eventCategory": data, "eventSource": e.Source, "eventName": e.Name,
		"readOnly": strconv.FormatBool(e.ReadOnly), "resources.type": e.Type,
		"resources.ARN": e.Resource,
	}
	for _, r := range s.selected.Load().rows {
		if r.Status != enabled || r.Account != e.Account || !r.Regions && r.Region != e.Region {
			continue
		}
		for i := range r.Selectors {
			if selects(&r.Selectors[i], event) {
				return true
			}
		}
	}
	return false
}

// leastDays is how long data events stay in any case, as all events do: the proof that
// nothing was removed rests on it.
const leastDays = int(audit.Retention / (24 * time.Hour))

// Kept gives a function that tells from when on the data events of an account and
// Region must be kept. It also drops stores whose time to be restored is over.
func (s *Service) Kept(ctx context.Context) (
	from func(account, region string) time.Time, err error,
) {
	now, over := s.cfg.Now(), false
	rows := s.selected.Load().rows
	expired := func(r *row) bool {
		return r.Status == pending && now.Sub(r.Deleted) > storeDays*24*time.Hour
	}
	for _, r := range rows {
		over = over || expired(r)
	}
	from = func(account, region string) time.Time {
		days := leastDays
		for _, r := range rows {
			if r.Account == account && (r.Regions || r.Region == region) && !expired(r) {
				days = max(days, int(r.Days))
			}
		}
		return now.AddDate(0, 0, -days)
	}
	if !over {
		return from, nil
	}
	return from, s.change(ctx, func(tx *control.Tx) error {
		list, err := stores(tx, nil)
		for _, r := range list {
			if expired(r) {
				r.remove(tx)
			}
		}
		return err
	})
}

// change is a unit of work after which the selection is read anew, before it is
// answered.
func (s *Service) change(ctx context.Context, fn func(*control.Tx) error) error {
	return s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		list, err := stores(tx, nil)
		if err != nil {
			return err
		}
		tx.After(func() {
			s.selected.Store(&selection{list})
			if s.cfg.Changed != nil {
				s.cfg.Changed()
			}
		})
		return nil
	})
}
