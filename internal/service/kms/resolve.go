package kms

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// naming says how an operation lets its key be named.
type naming uint8

const (
	ownKey  naming = iota // key id or ARN, of the caller's account
	anyKey                // also the ARN of another account's key
	anyName               // also an alias, of another account by its ARN
)

// resolve finds the key that a request of this account and Region names.
func resolve(ctx context.Context, tx *control.Tx, name string, how naming) (*key, error) {
	call := gateway.From(ctx)
	account, resource := call.Account, name
	switch {
	case strings.HasPrefix(name, "arn:"):
		a, err := parseARN(name, call.Region)
		if err != nil {
			return nil, err
		}
		account, resource = a.Account, a.Resource
		if !strings.HasPrefix(resource, "key/") && !strings.HasPrefix(resource, aliasPrefix) {
			return nil, badARN("Invalid arn %s", name)
		}
	case !strings.HasPrefix(name, aliasPrefix):
		resource = "key/" + name
	}
	if account != call.Account && how == ownKey {
		return nil, fault.New(fault.Denied,
			"This operation cannot be used on a KMS key of another account: %s", name)
	}
	id, isKey := strings.CutPrefix(resource, "key/")
	if !isKey {
		if how != anyName {
			return nil, notFound("Invalid keyId '%s'", resource)
		}
		return resolveAlias(tx, account, call.Region, resource)
	}
	return byID(tx, account, call.Region, id)
}

// parseARN reads the ARN of a key or alias of this Region.
func parseARN(name, region string) (arn.ARN, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Partition != "aws" || a.Service != "kms" || len(a.Account) != 12 {
		return a, badARN("Invalid arn %s", name)
	}
	if a.Region != region {
		return a, notFound("Invalid arn %s", a.Region)
	}
	return a, nil
}

func byID(tx *control.Tx, account, region, name string) (*key, error) {
	id, err := uuid.Parse(name)
	if err != nil || len(name) != 36 {
		return nil, notFound("Invalid keyId '%s'", name)
	}
	k, err := load(tx, id)
	if err != nil {
		return nil, err
	}
	if k == nil || k.Account != account || k.Region != region {
		missing := key{ID: id.String(), Account: account, Region: region}
		return nil, notFound("Key '%s' does not exist", missing.arn())
	}
	return k, nil
}

func resolveAlias(tx *control.Tx, account, region, name string) (*key, error) {
	a, err := loadAlias(tx, account, region, name)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, noAlias(account, region, name)
	}
	return byID(tx, account, region, a.Key)
}

// aliasOf gives the alias by which a request names a key, or "".
func aliasOf(name string) string {
	if a, err := arn.Parse(name); err == nil {
		name = a.Resource
	}
	if strings.HasPrefix(name, aliasPrefix) {
		return name
	}
	return ""
}
