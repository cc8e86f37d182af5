package iam

import (
	"context"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
)

// ReleaseRootDevices takes the MFA devices from an account's root user, who may have lost
// them, and gives their serials; the devices stay, as nobody's. It is for who runs the
// store: policies may let the root user do nothing without a code. Errors: fault.NotFound.
func (s *Service) ReleaseRootDevices(ctx context.Context, account string) (
	serials []string, err error,
) {
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		serials = nil
		_, found, err := tx.Get(control.TableAccount, scope(tx, account))
		if err == nil && !found {
			err = fault.New(fault.NotFound, "Account %s does not exist.", account)
		}
		if err != nil {
			return err
		}
		list, err := devices(tx, account, heldBy(devicesOfRoot))
		if err != nil {
			return err
		}
		for _, d := range list {
			d.release()
			if err := d.save(tx); err != nil {
				return err
			}
			serials = append(serials, d.serial())
		}
		return nil
	})
	return serials, err
}

// release makes the device nobody's.
func (d *device) release() { d.Holder, d.Enabled, d.Drift = "", time.Time{}, 0 }
