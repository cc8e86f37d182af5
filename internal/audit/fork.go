package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/control"
	"coffer/internal/store"
)

// Ids of table [control.TableTree] in shard 0 alone.
const (
	rowKeyPair = "key"
	rowOrigin  = "origin"
)

// keyPair is the key that signs heads, as package note writes keys.
type keyPair struct {
	Version  int    `json:"version"`
	Signer   string `json:"signer"`
	Verifier string `json:"verifier"`
}

// origin is where the trees of a store come from.
type origin struct {
	Version     int    `json:"version"`
	Incarnation ID     `json:"incarnation"` // of the last start
	Forks       []Fork `json:"forks"`       // the oldest first
}

// rowVersion is of the rows of both kinds that this program writes.
const rowVersion = 1

// identity is who signs the heads of a store, and what its trees were before.
type identity struct {
	StoreID
	signer   note.Signer
	verifier string // as people are told it
	forks    []Fork
}

// settle reads who this store is, or notes it: at the first start of all, with a
// first head, and at the first start of a copy, which leaves the original where its
// trees end.
func settle(
	ctx context.Context, db *control.DB, cfg *HeadConfig, ends map[store.ShardID]edge,
) (*identity, error) {
	store, now := cfg.Store, cfg.Now()
	id := &identity{StoreID: store}
	err := db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		k, err := keys(tx, store)
		if err != nil {
			return err
		}
		if id.signer, err = note.NewSigner(k.Signer); err != nil {
			return fmt.Errorf("signing key: %w", err)
		}
		id.verifier = k.Verifier
		if id.forks, err = follow(tx, store.Incarnation, cfg.From, ends, now); err != nil {
			return err
		}
		_, found, err := tx.Get(control.TableHead, []byte(rowLast))
		if found || err != nil {
			return err
		}
		msg, err := id.head(ends, now).sign(id.signer)
		tx.Put(control.TableHead, []byte(rowLast), msg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the trail's identity: %w", err)
	}
	return id, nil
}

// head gives the head over trees that end so.
func (id *identity) head(ends map[store.ShardID]edge, now time.Time) *head {
	h := &head{StoreID: id.StoreID, time: now.UTC(), forks: id.forks}
	for _, shard := range sorted(ends) {
		e := ends[shard]
		h.trees = append(h.trees, treeHead{shard, e.size, e.root()})
	}
	return h
}

func edgeSizes(ends map[store.ShardID]edge) map[store.ShardID]uint64 {
	m := map[store.ShardID]uint64{}
	for id, e := range ends {
		m[id] = e.size
	}
	return m
}

// signerName is the name in the key of a store.
func signerName(s StoreID) string { return fmt.Sprintf("coffer-audit/%v", s.Cluster) }

func keys(tx *control.Tx, s StoreID) (*keyPair, error) {
	k := &keyPair{}
	text, found, err := tx.Get(control.TableTree, []byte(rowKeyPair))
	if err != nil {
		return nil, err
	}
	if found {
		return k, unmarshal(text, k, &k.Version)
	}
	k.Version = rowVersion
	if k.Signer, k.Verifier, err = note.GenerateKey(rand.Reader, signerName(s)); err != nil {
		return nil, err
	}
	return k, put(tx, rowKeyPair, k)
}

// follow gives the forks of this store, with that of a copy which starts for the
// first time.
func follow(
	tx *control.Tx, now ID, from *Fork, ends map[store.ShardID]edge, at time.Time,
) ([]Fork, error) {
	o := &origin{Version: rowVersion, Incarnation: now}
	text, found, err := tx.Get(control.TableTree, []byte(rowOrigin))
	if err != nil {
		return nil, err
	}
	if found {
		if err := unmarshal(text, o, &o.Version); err != nil {
			return nil, err
		}
	}
	if found && o.Incarnation == now {
		return o.Forks, nil
	}
	if found {
		f := Fork{Incarnation: o.Incarnation, Time: at.UTC(), Sizes: edgeSizes(ends)}
		if from != nil && from.Incarnation == o.Incarnation {
			f.Backup = from.Backup
		}
		o.Incarnation, o.Forks = now, append(o.Forks, f)
	}
	return o.Forks, put(tx, rowOrigin, o)
}

func unmarshal(text []byte, v any, version *int) error {
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if *version != rowVersion {
		return fmt.Errorf("%w: a row of version %d", store.ErrDamaged, *version)
	}
	return nil
}

func put(tx *control.Tx, id string, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		tx.Put(control.TableTree, []byte(id), text)
	}
	return err
}
