package sqs

import (
	"context"
	"errors"
	"fmt"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// unknownKey is what KMS says of a ciphertext to who may not decrypt it, in an account
// that is not the key's.
const unknownKey = "The ciphertext refers to a customer master key that does not exist, " +
	"does not exist in this region, or you are not allowed to access."

// kmsFault answers a refusal of KMS in the words of SQS, which repeats what its own client
// of KMS was told. k is the data key that was to be decrypted, nil if none was.
//
// Source: the errors of the SQS API reference; acceptance SQS-07.
func (s *Service) kmsFault(ctx context.Context, k *dataKey, err error) error {
	call := gateway.From(ctx)
	id := call.RequestID
	if asked, ok := errors.AsType[*gateway.CallError](err); ok {
		id = asked.RequestID // under which the trail has it
	}
	text := func(code, said string) string {
		return fmt.Sprintf("%s (Service: AWSKMS; Status Code: 400; Error Code: %s; "+
			"Request ID: %s; Proxy: null)", said, code, id)
	}
	said := err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		said = f.Text
	}
	if f, ok := errors.AsType[wire.Fault](err); ok {
		if m, ok := f.(wire.Messenger); ok {
			said = m.FaultMessage()
		}
	}
	if is[*kms.DisabledException](err) {
		return &api.KmsDisabled{Message: text("DisabledException", said)}
	}
	if is[*kms.KMSInvalidStateException](err) {
		return &api.KmsInvalidState{Message: text("KMSInvalidStateException", said)}
	}
	if is[*kms.NotFoundException](err) || is[*kms.InvalidArnException](err) {
		return &api.KmsNotFound{Message: text("NotFoundException", said)}
	}
	if is[*kms.InvalidKeyUsageException](err) {
		return &api.KmsInvalidKeyUsage{Message: text("InvalidKeyUsageException", said)}
	}
	switch fault.KindOf(err) {
	case fault.Denied:
		if k == nil || k.owner() == call.Account {
			return &api.KmsAccessDenied{Message: text("AccessDeniedException", said)}
		}
		said = text("AccessDeniedException", unknownKey)
		if s.explain {
			said += " " + k.remedy(call)
		}
		return &api.KmsAccessDenied{Message: said}
	case fault.KeyUnavailable:
		return &api.KmsInvalidState{Message: text("KMSInvalidStateException", said)}
	case fault.Exhausted, fault.Unavailable:
		return &api.KmsThrottled{Message: text("ThrottlingException", said)}
	}
	return err
}

// owner is the account of the KMS key.
func (k *dataKey) owner() string {
	a, err := arn.Parse(k.row().Key)
	if err != nil {
		return k.row().Account
	}
	return a.Account
}

// remedy tells a caller of another account why KMS refused, and what has to be done about
// it: more than AWS does (D-16).
func (k *dataKey) remedy(call *gateway.Call) string {
	queues := address{realmName: k.row().realm()}
	if k.row().Named == queues.kmsKey(managedAlias) {
		return fmt.Sprintf("The queue seals with %s of account %s, which lets no other account "+
			"in, and whose policy cannot be changed. Its owner has to choose SSE-SQS, or a key "+
			"of their own whose policy allows account %s kms:Decrypt.",
			managedAlias, k.owner(), call.Account)
	}
	return fmt.Sprintf("The policy of key %s, or a grant, has to allow account %s kms:Decrypt, "+
		"and so has a policy of %s.", k.row().Key, call.Account, call.Principal.String())
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
