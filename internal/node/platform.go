package node

import (
	"context"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// PlatformStatus tells of the platform keys, under which everything is sealed that must
// open without a customer's key.
type PlatformStatus struct {
	Keys  int        `json:"keys"`
	Since *time.Time `json:"since,omitempty"` // of the newest; absent: it was the first
	// Resealed: nothing that is stored is under an older key.
	Resealed bool `json:"resealed"`
	// Sealed counts the values that this process has sealed anew since the last rotation;
	// Shard is the one that it is at.
	Sealed int            `json:"sealed,omitempty"`
	Shard  *store.ShardID `json:"shard,omitempty"`
	// Until is when no session can be under an older key any more; absent: there is none.
	Until *time.Time `json:"until,omitempty"`
}

// presentKey is the root key of a data directory, for what only who has it may do.
type presentKey struct {
	Key []byte `json:"key"`
}

// RotatePlatform has the process that serves a data directory make another platform key.
// The process does not keep the root key, so it is read here. Of cfg only Data, RootKey
// and Secrets count.
func RotatePlatform(ctx context.Context, cfg Config) error {
	if err := cfg.fill(); err != nil {
		return err
	}
	k := &rootKeeper{cfg: &cfg}
	key, err := k.present(ctx)
	if err != nil {
		return err
	}
	defer key.Wipe()
	return askOperator(ctx, cfg.Data, "platform", presentKey{key}, &RootStatus{})
}

// rotatePlatform goes over to another platform key.
func (n *Node) rotatePlatform(ctx context.Context, in presentKey) (any, error) {
	defer clear(in.Key)
	n.rootTurn.Lock()
	defer n.rootTurn.Unlock()
	if err := n.keeper.header.Check(in.Key); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "this is not the root key of the process; "+
			"nothing was changed")
	}
	record := n.keyEvent("RotatePlatformKey", nil)
	err := n.db.RotatePlatform(context.WithoutCancel(ctx), in.Key, record)
	if err != nil {
		return nil, err
	}
	n.resealing.notify()
	n.log.Warn("the platform key was replaced; what is stored is sealed anew",
		"keys", n.db.PlatformState().Keys)
	return n.rootStatus(), nil
}

func (n *Node) platformStatus() *PlatformStatus {
	s := n.db.PlatformState()
	status := &PlatformStatus{Keys: s.Keys, Resealed: s.Resealed || s.Keys == 1}
	status.Sealed, status.Shard = n.resealing.progress()
	if !s.Since.IsZero() {
		status.Since = &s.Since
	}
	if !s.Until.IsZero() {
		status.Until = &s.Until
	}
	return status
}

// keyEvent puts on the trail that the operator of this machine replaced a key.
func (n *Node) keyEvent(name string, details map[string]any) control.Record {
	return n.hostEvent(Account, name, details)
}

// hostEvent puts on an account's trail what the operator of this machine did to it.
func (n *Node) hostEvent(account, name string, details map[string]any) control.Record {
	const by = "AWS Internal"
	return func(_ context.Context, tx *control.Tx) error {
		return n.trail.Append(tx, &audit.Event{
			EventVersion: "1.08", EventID: uuid.NewString(), EventTime: tx.Time(),
			EventSource: "coffer.internal", EventName: name, EventType: "AwsServiceEvent",
			UserIdentity:    audit.Identity{AccountID: account, InvokedBy: by},
			SourceIPAddress: by, UserAgent: by, AWSRegion: Region,
			ManagementEvent: true, EventCategory: "Management", RecipientAccountID: account,
			ServiceEventDetails: details,
		})
	}
}
