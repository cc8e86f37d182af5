package node

import (
	"context"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// RemovedDevices are the MFA devices that a root user has no more.
type RemovedDevices struct {
	Account       string
	SerialNumbers []string
}

// accountName travels on the operator's socket.
type accountName struct {
	Account string `json:"account"`
}

// RemoveRootMFA takes the MFA devices from an account's root user: by way of the process
// that serves the directory, else alone, which takes the root key. The account has it on
// record. Errors: fault.NotFound as fault.Invalid, fault.Unavailable.
func RemoveRootMFA(ctx context.Context, cfg AccountConfig) (*RemovedDevices, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	out, in := &RemovedDevices{}, accountName{cfg.Account}
	err := askOperator(ctx, cfg.Data, "rootmfa", in, out)
	if fault.KindOf(err) != fault.Unavailable {
		return out, err
	}
	if err := dataDirectory(&cfg.Config); err != nil {
		return nil, err
	}
	return out, alone(ctx, &cfg.Config, func(n *Node) (err error) {
		out, err = n.removeDevices(ctx, in)
		return err
	}, (*Node).openServices)
}

func (n *Node) removeRootMFA(ctx context.Context, in accountName) (any, error) {
	return n.removeDevices(context.WithoutCancel(ctx), in)
}

func (n *Node) removeDevices(ctx context.Context, in accountName) (*RemovedDevices, error) {
	out := &RemovedDevices{Account: in.Account, SerialNumbers: []string{}}
	return out, n.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		serials, err := n.iam.ReleaseRootDevices(ctx, in.Account)
		if err != nil {
			return err
		}
		out.SerialNumbers = append(out.SerialNumbers, serials...)
		record := n.hostEvent(in.Account, "RemoveRootMFADevices", map[string]any{
			"accountId": in.Account, "serialNumbers": out.SerialNumbers,
		})
		return record(ctx, tx)
	})
}
