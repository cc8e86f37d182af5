package node

import (
	"context"
	"fmt"

	cofferapi "coffer/internal/aws/api/coffer"
	"coffer/internal/service/coffer"
	"coffer/internal/service/kms"
	"coffer/internal/service/mq"
	"coffer/internal/service/sqs"
)

// keyUsers joins what the KMS and the services know of the use of keys.
type keyUsers struct {
	keys *kms.Service
	mq   *mq.Service
	sqs  *sqs.Service
}

var (
	_ coffer.Keys     = (*kms.Service)(nil)
	_ coffer.KeyUsers = (*keyUsers)(nil)
)

const (
	brokerType = "AWS::AmazonMQ::Broker"
	queueType  = "AWS::SQS::Queue"
	// volumeContext names a broker's volume in the encryption context of its data key.
	volumeContext = "aws:ebs:id"
)

// Usage is [coffer.KeyUsers]'s.
func (k *keyUsers) Usage(ctx context.Context, key string) (*cofferapi.KeyUsage, error) {
	u, err := k.keys.Usage(ctx, key)
	if err != nil {
		return nil, err
	}
	brokers, err := k.mq.KeyUsers(ctx, u.ARN)
	if err != nil {
		return nil, err
	}
	out := &cofferapi.KeyUsage{
		KeyArn: u.ARN, KeyState: u.State, KeyManager: u.Manager, Description: u.Description,
		CreatedAt: u.Created, DeletionDate: u.Deletes, TrackedSince: u.Since,
		Aliases: u.Aliases, LastUse: lastUse(u.Last), GrantCount: new(int32(u.GrantCount)),
		Users: brokerUsers(brokers),
	}
	for _, q := range k.sqs.KeyUsers(u.ARN) {
		out.Users = append(out.Users, cofferapi.KeyUser{
			Type: queueType, Id: q.ARN, Name: q.Name, Account: q.Account,
			State: fmt.Sprintf("%d data keys", q.DataKeys),
		})
	}
	out.InUse = new(len(out.Users) > 0 || u.GrantCount > 0)
	for _, g := range u.Grants {
		out.Grants = append(out.Grants, cofferapi.GrantUsage{
			GrantId: g.ID, Name: g.Name, Grantee: g.Grantee, RetiringPrincipal: g.Retiring,
			Operations: g.Operations, CreatedAt: g.Created, SuspendedAt: g.Suspended,
			LastUse: lastUse(g.Last),
		})
	}
	return out, nil
}

func lastUse(u *kms.Use) *cofferapi.KeyUse {
	if u == nil {
		return nil
	}
	return &cofferapi.KeyUse{
		Operation: u.Operation, At: u.At, Who: u.Who, Via: u.Via, GrantId: u.Grant,
		EventId: u.EventID, EncryptionContext: u.Context,
	}
}

func brokerUsers(brokers []mq.KeyUser) []cofferapi.KeyUser {
	list := []cofferapi.KeyUser{}
	for _, b := range brokers {
		list = append(list, cofferapi.KeyUser{
			Type: brokerType, Id: b.ID, Name: b.Name, Account: b.Account,
			State: b.State.Phase.String(), Reason: b.State.Reason,
		})
	}
	return list
}

// Owned is [coffer.KeyUsers]'s.
func (k *keyUsers) Owned(ctx context.Context, account, region string) (
	[]cofferapi.OwnedKey, error,
) {
	list := []cofferapi.OwnedKey{}
	key, err := k.keys.Owned(ctx, "mq", region)
	if err != nil || key == nil {
		return list, err
	}
	all, err := k.mq.KeyUsers(ctx, key.ARN)
	if err != nil {
		return nil, err
	}
	var own []mq.KeyUser
	volumes := map[string]bool{}
	for _, b := range all {
		if b.Account != account {
			continue
		}
		own = append(own, b)
		for _, v := range b.Volumes {
			volumes[v] = true
		}
	}
	if len(own) == 0 { // nothing of this account rests on it
		return list, nil
	}
	uses, err := k.keys.OwnedUses(ctx, key, volumeContext, volumes)
	if err != nil {
		return nil, err
	}
	shown := cofferapi.OwnedKey{
		KeyArn: key.ARN, Service: mq.Principal, Region: region, KeyState: key.State,
		CreatedAt: key.Created, KeyMaterialId: key.Material, NextRotationDate: key.Rotates,
		Users: brokerUsers(own),
	}
	for _, u := range uses {
		shown.Uses = append(shown.Uses, *lastUse(&u))
	}
	return append(list, shown), nil
}
