package node

import (
	"fmt"

	"coffer/internal/service/coffer"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// storeState tells the Coffer API what the store is.
type storeState struct {
	node     *Node
	restored *embedded.Restored // nil = never was
}

var _ coffer.Describer = (*storeState)(nil)

// Describe is [coffer.Describer]'s.
func (s *storeState) Describe() (*coffer.State, error) {
	n, id := s.node, s.node.engine.Identity()
	st := &coffer.State{
		Cluster: fmt.Sprintf("%x", id.Cluster), Node: fmt.Sprintf("%x", id.Node),
		Incarnation: fmt.Sprintf("%x", id.Incarnation), Version: n.cfg.Version,
		StartNumber: n.db.StartNumber(),
	}
	for _, shard := range n.shards {
		pos := shard.Durable()
		st.Positions = append(st.Positions, coffer.Position{Epoch: pos.Epoch, Index: pos.Index})
	}
	st.StoredBytes, st.FreeBytes = n.engine.Usage()
	if r := s.restored; r != nil {
		st.RestoredFrom = &coffer.Restoration{
			Backup: r.Backup, Created: r.Created, Restored: r.At,
			FormerIncarnation: fmt.Sprintf("%x", r.Incarnation),
		}
	}
	return st, nil
}

func positions(list []store.Position) []coffer.Position {
	var out []coffer.Position
	for _, p := range list {
		out = append(out, coffer.Position{Epoch: p.Epoch, Index: p.Index})
	}
	return out
}

// tellStore says at each start which store this is, so that a restored directory
// is told apart from the one that its backup was made of.
func (n *Node) tellStore() (*embedded.Restored, error) {
	id := n.engine.Identity()
	r, err := n.engine.Restored()
	if err != nil {
		return nil, err
	}
	args := []any{"cluster", fmt.Sprintf("%x", id.Cluster), "node", fmt.Sprintf("%x", id.Node),
		"incarnation", fmt.Sprintf("%x", id.Incarnation)}
	if r == nil {
		n.log.Info("store is open", args...)
	} else {
		n.log.Info("store is open, restored from a backup", append(args, "backup", r.Backup,
			"created", r.Created, "restored", r.At,
			"former-incarnation", fmt.Sprintf("%x", r.Incarnation))...)
	}
	n.metrics.Gauges("coffer_store_info", "Which store this is; always 1.",
		"cluster", "node", "incarnation").With(fmt.Sprintf("%x", id.Cluster),
		fmt.Sprintf("%x", id.Node), fmt.Sprintf("%x", id.Incarnation)).Set(1)
	return r, nil
}
