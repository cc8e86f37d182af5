package node

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"coffer/internal/control"
	"coffer/internal/rootkey"
	"coffer/internal/telemetry"
)

// keyState is what an operator should know of keys.
type keyState struct {
	deletions, used int       // keys to be deleted, and of them those that something uses
	next            time.Time // end of the first that is used; zero = none
}

// observeKeys shows the keys that are to be deleted, and how the root key stands.
func (n *Node) observeKeys() {
	telemetry.Sample(n.metrics, n.keyState,
		integer("coffer_kms_keys_pending_deletion", "Keys that are to be deleted.",
			func(s keyState) int { return s.deletions }),
		integer("coffer_kms_keys_pending_deletion_in_use",
			"Keys that are to be deleted and that brokers or grants rest on.",
			func(s keyState) int { return s.used }),
		integer("coffer_kms_next_deletion_in_use_timestamp_seconds",
			"When the first key is deleted that something rests on; 0: none is.",
			func(s keyState) int64 {
				if s.next.IsZero() {
					return 0
				}
				return s.next.Unix()
			}),
	)
	telemetry.Sample(n.metrics, n.db.PlatformState,
		integer("coffer_platform_keys", "Platform keys that stored values may be sealed under.",
			func(s control.PlatformState) int { return s.Keys }))
	telemetry.Sample(n.metrics, n.beside.Load,
		yes("coffer_root_key_beside_data",
			"1 while the root key lies in a file in the data directory.",
			func(beside bool) bool { return beside }))
}

// keyState looks at what is stored and waits for nothing.
func (n *Node) keyState() (s keyState) {
	err := n.db.Peek(context.Background(), func(ctx context.Context, _ *control.Tx) error {
		list, err := n.keys.Deletions(ctx)
		if err != nil {
			return err
		}
		for _, d := range list {
			brokers, err := n.mq.KeyUsers(ctx, d.ARN)
			if err != nil {
				return err
			}
			s.deletions++
			if len(brokers) == 0 && d.Grants == 0 {
				continue
			}
			if s.used++; s.next.IsZero() {
				s.next = d.At
			}
		}
		return nil
	})
	if err != nil {
		n.log.Error("keys cannot be counted", "error", err)
	}
	return s
}

// noteKeyFile notes whether who copies the data directory has the root key, too.
func (n *Node) noteKeyFile(at rootkey.Source) {
	if at.Kind != rootkey.Key || at.Place != rootkey.File || at.Name == "" {
		n.beside.Store(false)
		return
	}
	data, err := filepath.Abs(n.cfg.Data)
	file, ferr := filepath.Abs(at.Name)
	rel, rerr := filepath.Rel(data, file)
	n.beside.Store(errors.Join(err, ferr, rerr) == nil && filepath.IsLocal(rel))
}
