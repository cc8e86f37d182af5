package mq

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

// Rekey lets a broker of the caller's account rest on another KMS key, chosen as
// CreateBroker chooses one, while it serves: new grants are made for the caller, new data
// keys under the new key wrap the broker key, and the old grants are retired. All of it is
// one unit of work, so a crash leaves the broker on the one key or on the other. No message
// is touched. It gives the ARN of the new key.
//
// The old key must open the volumes' data keys once more: under the broker's own grants
// or, where those are gone, with the caller's permission to decrypt. A key that is
// disabled or pending deletion has to be enabled first. Errors: fault.NotFound,
// fault.Conflict while the broker does not run, fault.Invalid for a key that cannot be,
// fault.KeyUnavailable when the old key cannot be used, fault.Denied.
func (s *Service) Rekey(ctx context.Context, id string, owned bool, key string) (
	name string, err error,
) {
	call := gateway.From(ctx)
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		b, err := s.find(ctx, call.Account, call.Region, id)
		if err != nil {
			return err
		}
		if p := s.engine.State(b.ID).Phase; p != Serving && p != Locked {
			return fault.New(fault.Conflict, "Broker %s is not running; its state is %s.", id, p)
		}
		old, now := b, *b
		option := &api.EncryptionOptions{UseAwsOwnedKey: owned, KmsKeyId: key}
		if err := s.choose(ctx, call, &now, option); err != nil {
			return err
		}
		brokerKey, err := s.recover(ctx, old)
		if err != nil {
			return err
		}
		defer brokerKey.Wipe()
		var volumes []string
		for _, v := range old.Volumes {
			volumes = append(volumes, v.ID)
		}
		if err := s.rest(ctx, &now, volumes, brokerKey); err != nil {
			return err
		}
		name = now.Key
		call.AddResource(resourceType, now.Account, now.arn())
		if err := now.put(tx); err != nil {
			return err
		}
		return s.leaveKey(ctx, tx, old, &now)
	})
	return name, told(err)
}

// leaveKey retires what the broker rested on. It rests on the new key from before on, so
// that the end of the old grants does not take its key away for a moment.
func (s *Service) leaveKey(ctx context.Context, tx *control.Tx, old, now *row) error {
	before, err := old.running(tx)
	if err != nil {
		return err
	}
	after, err := now.running(tx)
	if err != nil {
		return err
	}
	s.engine.Rest(after)
	tx.Failed(func() { s.engine.Rest(before) })
	tx.After(func() { s.engine.Rest(after) }) // if it is locked it can be opened now
	return s.retireAll(ctx, old)
}

// recover gives the broker key by any volume whose data key the old KMS key opens.
func (s *Service) recover(ctx context.Context, b *row) (seal.Secret, error) {
	var first error
	for _, open := range []func(context.Context, *row, *volume) (seal.Secret, error){
		s.openVolume, s.openForCaller,
	} {
		for i := range b.Volumes {
			v := &b.Volumes[i]
			dataKey, err := open(ctx, b, v)
			if err == nil {
				key, err := seal.Unwrap(dataKey, wrapUse, b.wrapAAD(v), v.BrokerKey)
				dataKey.Wipe()
				return key, err
			}
			if first == nil {
				first = reason(b, "the grant of "+v.ID, err)
			}
		}
	}
	if first == nil {
		return nil, fmt.Errorf("broker %s has no volume", b.brokerID())
	}
	if fault.KindOf(first) != fault.KeyUnavailable {
		return nil, first
	}
	return nil, fault.Wrap(fault.KeyUnavailable, first, "The broker cannot leave its key, which "+
		"has to open its data keys once more: "+clientText(first)+" A key that is disabled can "+
		"be enabled; the deletion of one that is pending deletion can be canceled, and then it "+
		"can be enabled. Where a grant is gone the caller needs kms:Decrypt on the key.")
}

// openForCaller opens a volume's data key with the permissions of the caller.
func (s *Service) openForCaller(ctx context.Context, b *row, v *volume) (seal.Secret, error) {
	out, err := s.kms.As(Who{OnBehalf: true, Principal: Principal}).Decrypt(ctx,
		&kms.DecryptInput{KeyId: b.Key, CiphertextBlob: v.DataKey,
			EncryptionContext: map[string]string{volumeKey: v.ID}})
	if err != nil {
		return nil, err
	}
	return out.Plaintext, nil
}

func clientText(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Text
	}
	return ""
}

// told turns this API's own exceptions into kinds, for callers of another API.
func told(err error) error {
	if e, ok := errors.AsType[*api.BadRequestException](err); ok {
		return fault.New(fault.Invalid, "%s", e.Message)
	}
	if e, ok := errors.AsType[*api.NotFoundException](err); ok {
		return fault.New(fault.NotFound, "%s", e.Message)
	}
	return err
}

// retireAll retires the grants of a broker: those of its volumes first, which were made
// under its own.
func (s *Service) retireAll(ctx context.Context, b *row) error {
	for _, v := range b.Volumes {
		if err := s.retire(ctx, b, b.ec2(), v.Grant); err != nil {
			return err
		}
	}
	for _, g := range slices.Backward(b.Grants) {
		if err := s.retire(ctx, b, Principal, g.ID); err != nil {
			return err
		}
	}
	return nil
}
