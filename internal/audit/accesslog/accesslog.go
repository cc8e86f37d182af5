// Package accesslog shows an audit trail as the access log of queues of SQS, which AWS does
// not have: a line for each message that somebody sent, received or deleted, and for each
// other request about a queue, with the fields of S3's server access log.
//
// Guarantees: lines are in the order of time; no field that a client chose can begin
// another field or line; nothing of a message is shown but its id and its size. It shows
// what the trail has: requests about messages are there when an event data store selects
// them, those that were denied to another account only when that one does.
package accesslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"coffer/internal/audit"
	"coffer/internal/store"
)

// Config says which lines to write; the zero value is all of them.
type Config struct {
	Queue           string    // name or ARN; empty = all
	Account, Region string    // of queues; empty = all
	From, Until     time.Time // until is not included; zero = no bound
}

// Write writes the lines, the oldest first. An event of another account's caller, which
// is on two trails, gives the lines of the fuller one.
func Write(ctx context.Context, r *audit.Reader, w io.Writer, cfg Config) error {
	scopes, err := r.Scopes(ctx)
	if err != nil {
		return err
	}
	m := &merge{}
	defer m.stop()
	for _, s := range scopes {
		if cfg.Region != "" && cfg.Region != s.Region {
			continue
		}
		if err := m.add(events(ctx, r, s, &cfg)); err != nil {
			return err
		}
	}
	var text []byte
	for len(m.list) > 0 {
		same, err := m.next()
		if err != nil {
			return err
		}
		text = text[:0]
		for _, e := range originals(same) {
			text = Append(text, e, cfg.wants)
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("write the access log: %w", err)
		}
	}
	return nil
}

// wants tells whether lines about a queue are to be written.
func (c *Config) wants(arn string) bool {
	q, ok := parseQueue(arn)
	return ok && (c.Queue == "" || c.Queue == q.name || c.Queue == arn) &&
		(c.Account == "" || c.Account == q.account) && (c.Region == "" || c.Region == q.region)
}

// entry is an event at its place in time.
type entry struct {
	at    time.Time
	event *audit.Event
}

// errEnough ends the reading of a scope that nobody wants more of.
var errEnough = errors.New("enough")

// events gives those of SQS of an account and Region, the oldest first.
func events(
	ctx context.Context, r *audit.Reader, s *audit.Scope, cfg *Config,
) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		err := r.Events(ctx, s, cfg.From, cfg.Until, func(at time.Time, text []byte) error {
			e := &audit.Event{}
			if err := json.Unmarshal(text, e); err != nil {
				return fmt.Errorf("%w: event of %s: %w", store.ErrDamaged,
					at.Format(time.RFC3339Nano), err)
			}
			if e.EventSource == source && !yield(entry{at, e}, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(entry{}, err)
		}
	}
}

// originals leaves out events that another account's trail tells of whole.
func originals(same []*audit.Event) (list []*audit.Event) {
	for _, e := range same {
		if !copied(e, same) {
			list = append(list, e)
		}
	}
	return list
}

// copied tells whether an event is the copy of one of the others.
func copied(e *audit.Event, list []*audit.Event) bool {
	for _, o := range list {
		if e.SharedEventID != "" && o.SharedEventID == e.SharedEventID &&
			e.UserIdentity.ARN == "" && o.UserIdentity.ARN != "" {
			return true
		}
	}
	return false
}
