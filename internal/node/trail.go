package node

import (
	"context"
	"path/filepath"

	"coffer/internal/audit"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// openTrail opens the audit trail, which signs heads of its trees from now on.
func (n *Node) openTrail(ctx context.Context, shard store.Shard, id store.ShardID) error {
	is := n.engine.Identity()
	heads := &audit.HeadConfig{
		Store: audit.StoreID{
			Cluster: audit.ID(is.Cluster), Incarnation: audit.ID(is.Incarnation),
		},
		File: n.cfg.AuditHeads, Logger: n.log,
	}
	if r := n.restored; r != nil {
		heads.From = &audit.Fork{Incarnation: audit.ID(r.Incarnation), Backup: r.Backup}
	}
	var data []audit.DataShard
	for i, id := range n.engine.Shards()[1 : len(n.shards)-1] {
		data = append(data, audit.DataShard{Shard: n.shards[i+1], ID: id})
	}
	var err error
	n.trail, err = audit.Open(ctx, n.db, shard, id, audit.Config{Heads: heads, Data: data})
	if err != nil {
		return err
	}
	n.onStop(func(context.Context) error { n.trail.Close(); return nil })
	return nil
}

// trailHealth says why the newest head is not where it belongs.
func (n *Node) trailHealth(context.Context) error { return n.trail.Stats().Err }

// checkAuditHeads refuses a file of heads that would be put back with the data.
func (c *Config) checkAuditHeads() error {
	if c.AuditHeads == "" {
		return nil
	}
	var err error
	if c.AuditHeads, err = filepath.Abs(c.AuditHeads); err != nil {
		return err
	}
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(data, c.AuditHeads); err == nil && filepath.IsLocal(rel) {
		return fault.New(fault.Invalid, "--audit-heads: %s is in the data directory, where who "+
			"changes the trail can change it too: choose another", c.AuditHeads)
	}
	return nil
}
