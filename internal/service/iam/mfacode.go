package iam

import (
	"context"
	"time"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Wrong codes in a row close a device for a time that doubles with each more. Who
// has a password or key but not the device gets some hundred tries a day.
const (
	freeTries   = 5
	firstClosed = 30 * time.Second
	longClosed  = 15 * time.Minute
)

// EnableMFADevice gives a device to a user who shows two of its codes in a row.
func (s *Service) EnableMFADevice(ctx context.Context, in *api.EnableMFADeviceInput) (
	*api.EnableMFADeviceOutput, error,
) {
	return &api.EnableMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		holder, _, err := r.mfaHolder(in.UserName)
		if err != nil {
			return err
		}
		d, err := r.device(in.SerialNumber)
		if err != nil {
			return err
		}
		if d.Holder != "" {
			return exists("MFA Device is already in use.")
		}
		list, err := devices(r.tx, r.account(), heldBy(holder))
		if err != nil {
			return err
		}
		if len(list) >= maxDevices {
			return overQuota("MFADevicesPerUser", maxDevices)
		}
		now := stepOf(r.tx.Time())
		step, ok := findCode(d.Seed, in.AuthenticationCode1, in.AuthenticationCode2, now, d.Used,
			drift+1)
		if !ok {
			return wrongCode()
		}
		d.Holder, d.Enabled, d.Used = holder, r.tx.Time(), step+1
		d.Drift, d.Wrong, d.Closed = 0, 0, time.Time{}
		return d.save(r.tx)
	})
}

func wrongCode() error {
	return &api.InvalidAuthenticationCodeException{
		Message: "Authentication code for device is not valid."}
}

// ResyncMFADevice notes how far a device's clock is off.
func (s *Service) ResyncMFADevice(ctx context.Context, in *api.ResyncMFADeviceInput) (
	*api.ResyncMFADeviceOutput, error,
) {
	return &api.ResyncMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		d, err := r.held(in.UserName, in.SerialNumber)
		if err != nil {
			return err
		}
		now := stepOf(r.tx.Time())
		step, ok := findCode(d.Seed, in.AuthenticationCode1, in.AuthenticationCode2, now, d.Used,
			farDrift)
		if !ok {
			return wrongCode()
		}
		d.Drift, d.Used = step+1-now, step+1
		d.Wrong, d.Closed = 0, time.Time{}
		return d.save(r.tx)
	})
}

// held finds a device that a user has.
func (r *request) held(user, serial string) (*device, error) {
	holder, name, err := r.mfaHolder(user)
	if err != nil {
		return nil, err
	}
	d, err := deviceBySerial(r.tx, r.account(), serial)
	if err == nil && (d == nil || d.Holder != holder) {
		err = notFound("MFA Device with serial number %s is not assigned to user %s.", serial,
			name)
	}
	return d, err
}

// DeactivateMFADevice takes a device from a user.
func (s *Service) DeactivateMFADevice(ctx context.Context, in *api.DeactivateMFADeviceInput) (
	*api.DeactivateMFADeviceOutput, error,
) {
	return &api.DeactivateMFADeviceOutput{}, s.update(ctx, func(r *request) error {
		d, err := r.held(in.UserName, in.SerialNumber)
		if err != nil {
			return err
		}
		d.release()
		return d.save(r.tx)
	})
}

// UseMFA checks a code of a device of the user or root user and uses it up: it and
// all before it are never right again. The outcome is durable before UseMFA
// returns; so it is called outside a unit of work, which could be dropped. A wrong
// code is an error of kind fault.Denied with AWS's text.
func (s *Service) UseMFA(
	ctx context.Context, who policy.Principal, serial, code string,
) error {
	holder := ""
	switch who.Kind {
	case policy.User:
		holder = who.UserID
	case policy.Root:
		holder = devicesOfRoot
	}
	var refusal error
	err := s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		d, err := deviceBySerial(tx, who.Account, serial)
		if err != nil {
			return err
		}
		if d == nil || holder == "" || d.Holder != holder {
			refusal = fault.New(fault.Denied, "MultiFactorAuthentication failed, unable to "+
				"validate MFA code.  Please verify your MFA serial number is valid and "+
				"associated with this user.")
			return nil
		}
		closed := tx.Time().Before(d.Closed)
		if closed || !d.try(code, tx.Time()) {
			refusal = fault.New(fault.Denied,
				"MultiFactorAuthentication failed with invalid MFA one time pass code. ")
		}
		if closed { // to look at it would tell whether it was right
			return nil
		}
		return d.save(tx)
	})
	if err != nil {
		return err
	}
	return refusal
}

// try reports whether a code is right now, and notes the try.
func (d *device) try(code string, now time.Time) bool {
	step, ok := findCode(d.Seed, code, "", stepOf(now)+d.Drift, d.Used, drift)
	if ok {
		d.Used, d.Wrong, d.Closed = step, 0, time.Time{}
		return true
	}
	d.Wrong++
	if more := d.Wrong - freeTries; more >= 0 {
		d.Closed = now.Add(min(longClosed, firstClosed<<min(more, 10)))
	}
	return false
}
