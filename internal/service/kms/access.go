package kms

import (
	"context"
	"strconv"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// keyType is what CloudTrail calls the resource.
const keyType = "AWS::KMS::Key"

// request is a call while its decisions are gathered.
type request struct {
	s    *Service
	ctx  context.Context
	tx   *control.Tx
	call *gateway.Call
	op   string
}

// Access says which keys and aliases a request touches, and all that their
// policies and grants may look at. What touches none is decided by the caller's
// own policies.
func (s *Service) Access(ctx context.Context, op *wire.Op, in any) ([]gateway.Check, error) {
	tx := control.From(ctx)
	r := &request{s, ctx, tx, gateway.From(ctx), op.Name}
	switch in := in.(type) {
	case *kms.CreateKeyInput:
		return r.createKey(in), nil
	case *kms.CreateAliasInput:
		return r.aliasAndKey(in.AliasName, in.TargetKeyId)
	case *kms.UpdateAliasInput:
		return r.updateAlias(in)
	case *kms.DeleteAliasInput:
		return r.deleteAlias(in)
	case *kms.CreateGrantInput:
		return r.createGrant(in)
	case *kms.RetireGrantInput:
		return r.retireGrant(in)
	case *kms.RevokeGrantInput:
		return r.one(in.KeyId, anyKey, conditions{"kms:GrantIsForAWSResource": {r.forService()}})
	case *kms.ListGrantsInput:
		return r.one(in.KeyId, anyKey, conditions{"kms:GrantIsForAWSResource": {r.forService()}})
	case *kms.DescribeKeyInput:
		return r.one(in.KeyId, anyName, nil)
	case *kms.PutKeyPolicyInput:
		return r.one(in.KeyId, ownKey, conditions{
			"kms:BypassPolicyLockoutSafetyCheck": {truth(in.BypassPolicyLockoutSafetyCheck)},
		})
	case *kms.TagResourceInput:
		return r.one(in.KeyId, ownKey, requestTags(in.Tags))
	case *kms.UntagResourceInput:
		return r.one(in.KeyId, ownKey, conditions{"aws:TagKeys": in.TagKeys})
	case *kms.GetKeyRotationStatusInput:
		return r.one(in.KeyId, anyKey, nil)
	case *kms.EnableKeyRotationInput:
		cond := conditions{}
		if in.RotationPeriodInDays != nil {
			cond["kms:RotationPeriodInDays"] = []string{strconv.Itoa(int(*in.RotationPeriodInDays))}
		}
		return r.one(in.KeyId, ownKey, cond)
	case *kms.ScheduleKeyDeletionInput:
		return r.one(in.KeyId, ownKey, conditions{
			"kms:ScheduleKeyDeletionPendingWindowInDays": {strconv.Itoa(int(window(in)))},
		})
	}
	if name, ok := managed(in); ok {
		return r.one(name, ownKey, nil)
	}
	return r.cryptographic(in)
}

// managed gives the key of a request that has nothing more to decide by.
func managed(in any) (name string, ok bool) {
	switch in := in.(type) {
	case *kms.EnableKeyInput:
		return in.KeyId, true
	case *kms.DisableKeyInput:
		return in.KeyId, true
	case *kms.GetKeyPolicyInput:
		return in.KeyId, true
	case *kms.ListKeyPoliciesInput:
		return in.KeyId, true
	case *kms.ListResourceTagsInput:
		return in.KeyId, true
	case *kms.UpdateKeyDescriptionInput:
		return in.KeyId, true
	case *kms.CancelKeyDeletionInput:
		return in.KeyId, true
	case *kms.DisableKeyRotationInput:
		return in.KeyId, true
	case *kms.ListKeyRotationsInput:
		return in.KeyId, true
	case *kms.RotateKeyOnDemandInput:
		return in.KeyId, true
	case *kms.GetKeyLastUsageInput:
		return in.KeyId, true
	}
	return "", false
}

// cryptographic decides about the use of key material, and about operations
// that name no key: those are for the caller's own policies.
func (r *request) cryptographic(in any) ([]gateway.Check, error) {
	switch in := in.(type) {
	case *kms.EncryptInput:
		return r.use(in.KeyId, in.EncryptionAlgorithm, in.EncryptionContext)
	case *kms.GenerateDataKeyInput:
		return r.use(in.KeyId, "", in.EncryptionContext)
	case *kms.GenerateDataKeyWithoutPlaintextInput:
		return r.use(in.KeyId, "", in.EncryptionContext)
	case *kms.DecryptInput:
		from := sealed{in.KeyId, in.CiphertextBlob, in.EncryptionAlgorithm, in.EncryptionContext}
		k, err := from.key(r.ctx, r.tx)
		if err != nil {
			return nil, err
		}
		c, err := r.useOf(k, "Decrypt", in.KeyId, from.algorithm, from.pairs)
		return []gateway.Check{c}, err
	case *kms.ReEncryptInput:
		return r.reEncrypt(in)
	}
	return []gateway.Check{{}}, nil
}

// check is the decision about one operation on one key.
func (r *request) check(k *key, op, name string, more conditions) (gateway.Check, error) {
	doc, err := r.s.policies.of(k)
	if err != nil {
		return gateway.Check{}, err
	}
	c := gateway.Check{
		Action: "kms:" + op, Resource: k.arn(), Account: k.Account, Type: keyType,
		Policy: policy.Policy{Name: policyName, Document: doc}, RootOfTrust: true,
	}
	cond := k.conditions()
	if a := aliasOf(name); a != "" {
		cond["kms:RequestAlias"] = []string{a}
	}
	if v := r.via(); v != "" {
		cond["kms:ViaService"] = []string{v}
	}
	cond.merge(more)
	c.Context = cond
	if canGrant(k.Spec, k.Usage, op) { // else none can say yes, however many there are
		c.Grants, err = grantsFor(r.tx, k, r.call, op)
	}
	return c, err
}

// via is the service that calls on behalf of the principal, as condition keys
// spell it: mq.eu-west-1.amazonaws.com.
func (r *request) via() string {
	if r.call.InvokedBy == "" || r.call.Principal.Kind == policy.Service {
		return ""
	}
	return viaService(r.call.InvokedBy, r.call.Region)
}

// one is the decision about the operation itself on the key it names.
func (r *request) one(name string, how naming, more conditions) ([]gateway.Check, error) {
	k, err := resolve(r.ctx, r.tx, name, how)
	if err != nil {
		return nil, err
	}
	c, err := r.check(k, r.op, name, more)
	return []gateway.Check{c}, err
}

func (r *request) use(name, algorithm string, pairs map[string]string) ([]gateway.Check, error) {
	k, err := resolve(r.ctx, r.tx, name, anyName)
	if err != nil {
		return nil, err
	}
	c, err := r.useOf(k, r.op, name, algorithm, pairs)
	return []gateway.Check{c}, err
}

func (r *request) useOf(k *key, op, name, algorithm string, pairs map[string]string) (
	gateway.Check, error,
) {
	if algorithm == "" {
		algorithm = symmetric
	}
	if err := checkContext(pairs); err != nil {
		return gateway.Check{}, err
	}
	c, err := r.check(k, op, name, conditions{"kms:EncryptionAlgorithm": {algorithm}})
	c.EncryptionContext = pairs
	return c, err
}

func (r *request) reEncrypt(in *kms.ReEncryptInput) ([]gateway.Check, error) {
	from := source(in)
	k, err := from.key(r.ctx, r.tx)
	if err != nil {
		return nil, err
	}
	to, err := resolve(r.ctx, r.tx, in.DestinationKeyId, anyName)
	if err != nil {
		return nil, err
	}
	a, err := r.useOf(k, "ReEncryptFrom", in.SourceKeyId, from.algorithm, from.pairs)
	if err != nil {
		return nil, err
	}
	b, err := r.useOf(to, "ReEncryptTo", in.DestinationKeyId, in.DestinationEncryptionAlgorithm,
		in.DestinationEncryptionContext)
	same := truth(new(k.ID == to.ID))
	a.Context["kms:ReEncryptOnSameKey"] = []string{same}
	if err == nil {
		b.Context["kms:ReEncryptOnSameKey"] = []string{same}
	}
	return []gateway.Check{a, b}, err
}
