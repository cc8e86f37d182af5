package kms

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/control"
)

// viaService spells a service principal as kms:ViaService does.
func viaService(principal, region string) string {
	return strings.TrimSuffix(principal, ".amazonaws.com") + "." + region + ".amazonaws.com"
}

// EnsureOwned gives the ARN of the AWS-owned key of a service ("mq") in a
// Region and makes the key if there is none. It belongs to [OwnedAccount]; only
// the service principal can use it, and nobody can change it.
func (s *Service) EnsureOwned(ctx context.Context, service, region string) (string, error) {
	k := &key{
		Account: OwnedAccount, Region: region, Service: service, Manager: managerOwned,
		Description: "Key that Coffer uses for " + service + " where no other is named",
		Policy: document("auto-"+service+"-owned", statement{
			Sid: "Allow the service to use the key", Effect: "Allow",
			Principal: map[string]string{"Service": service + ".amazonaws.com"},
			Action: []string{
				"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey",
			},
			Resource: "*",
		}),
	}
	return s.ensure(ctx, k)
}

// EnsureManaged gives the ARN of the AWS-managed key of a service ("mq") in an
// account and Region, alias/aws/mq, and makes the key if there is none. The
// account's principals can use it through the service only.
//
// Source: the policies of AWS-managed keys, KMS Developer Guide.
func (s *Service) EnsureManaged(ctx context.Context, account, region, service string) (
	string, error,
) {
	k := &key{
		Account: account, Region: region, Service: service, Manager: managerAWS,
		Description: "Default key that protects my " + service +
			" data when no other key is defined",
		Policy: document("auto-"+service+"-1", statement{
			Sid: "Allow access through the service for all principals in the account that are " +
				"authorized to use it",
			Effect: "Allow", Principal: map[string]string{"AWS": "*"},
			Action: []string{
				"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
				"kms:CreateGrant", "kms:DescribeKey",
			},
			Resource: "*",
			Condition: map[string]map[string]string{"StringEquals": {
				"kms:CallerAccount": account,
				"kms:ViaService":    viaService(service+".amazonaws.com", region),
			}},
		}, statement{
			Sid: "Allow direct access to key metadata to the account", Effect: "Allow",
			Principal: rootOf(account),
			Action:    []string{"kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"},
			Resource:  "*",
		}),
	}
	return s.ensure(ctx, k)
}

// ensure finds the key that alias/aws/<service> names, or stores k under it.
func (s *Service) ensure(ctx context.Context, k *key) (name string, err error) {
	reserved := reservedPrefix + k.Service
	err = s.update(ctx, func(tx *control.Tx) error {
		a, err := loadAlias(tx, k.Account, k.Region, reserved)
		if err != nil {
			return err
		}
		if a != nil {
			k.ID = a.Key
			name = k.arn()
			return k.rotateYearly(tx)
		}
		k.ID, k.Created, k.State = uuid.NewString(), tx.Time(), stateEnabled
		k.Spec, k.Usage, k.Aliases = symmetric, usageEncrypt, []string{reserved}
		k.Rotation = &rotation{Days: usualPeriod, Next: k.Created.Add(usualPeriod * day)}
		m, err := makeMaterial(symmetric)
		if err != nil {
			return err
		}
		defer m.secret.Wipe()
		if k.Material, err = m.store(tx, k.id()); err != nil {
			return err
		}
		if err := k.enlist(tx); err != nil {
			return err
		}
		name = k.arn()
		return (&alias{
			Name: reserved, Key: k.ID, Created: k.Created, Updated: k.Created,
		}).save(tx, k)
	})
	if err != nil {
		return "", fmt.Errorf("ensure %s of account %s: %w", reserved, k.Account, err)
	}
	return name, nil
}
