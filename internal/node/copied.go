package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"coffer/internal/control"
	"coffer/internal/service/coffer"
	"coffer/internal/telemetry"
)

// copiedBackup is the newest backup that was carried away whole, as far as whoever did so
// said it: a row of [control.TableNode].
type copiedBackup struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"` // its cut
	Bytes   int64     `json:"bytes"`
}

// rowCopied is the id of the row.
const rowCopied = "backup"

// loadCopied reads what is stored.
func (b *backups) loadCopied(ctx context.Context, db *control.DB) error {
	err := db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableNode, []byte(rowCopied))
		if err != nil || !ok {
			return err
		}
		last := &copiedBackup{}
		b.last.Store(last)
		return json.Unmarshal(v, last)
	})
	if err != nil {
		return fmt.Errorf("read the last backup: %w", err)
	}
	return nil
}

// Copied is [coffer.Backups]'s. An older one than is known says nothing.
func (b *backups) Copied(ctx context.Context, of coffer.Backup, bytes int64) error {
	made := &copiedBackup{of.ID, of.Created.UTC(), bytes}
	if last := b.last.Load(); last != nil && last.Created.After(made.Created) {
		return nil
	}
	v, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("note backup %s: %w", of.ID, err)
	}
	tx := control.From(ctx)
	tx.Put(control.TableNode, []byte(rowCopied), v)
	tx.After(func() { b.last.Store(made) })
	return nil
}

// observeBackups shows the last backup, and those that nobody has carried away yet.
func (n *Node) observeBackups() {
	last := func() (c copiedBackup) {
		if p := n.backups.last.Load(); p != nil {
			c = *p
		}
		return c
	}
	telemetry.Sample(n.metrics, last,
		integer("coffer_backup_last_timestamp_seconds",
			"When the newest backup that was copied whole was cut; 0: there is none.",
			func(c copiedBackup) int64 {
				if c.Created.IsZero() {
					return 0
				}
				return c.Created.Unix()
			}),
		integer("coffer_backup_last_bytes", "Bytes of the newest backup that was copied whole.",
			func(c copiedBackup) int64 { return c.Bytes }))
	telemetry.Sample(n.metrics, n.backups.there.Load,
		integer("coffer_backups_unfinished",
			"Copies in the data directory that wait to be carried away, as last looked at.",
			func(n int64) int64 { return n }))
}
