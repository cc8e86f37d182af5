package iam

import (
	"context"
	"time"

	"coffer/internal/control"
	"coffer/internal/policy"
)

// Policies are what a user or role has at one moment.
type Policies struct {
	// Identity are its own inline and managed policies and those of its groups.
	Identity []policy.Policy
	// Boundary limits them; its Document is nil for none.
	Boundary policy.Policy
	// Tags are its own: aws:PrincipalTag/….
	Tags map[string]string
}

// Role is a role as the Security Token Service sees it.
type Role struct {
	Account, ID, Name, Path, ARN string
	Trust                        policy.Policy // who may assume it; parsed as policy.Trust
	MaxSession                   time.Duration
	Service                      string // of a service-linked role
	Policies
}

// Role finds a role by its name. One that does not exist is an error of kind
// fault.NotFound.
func (s *Service) Role(ctx context.Context, account, name string) (role *Role, err error) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		e, err := byName(tx, account, roleKind, name)
		if err == nil && e == nil {
			err = noEntity(roleKind, name)
		}
		if err != nil {
			return err
		}
		role = &Role{
			Account: e.Account, ID: e.ID, Name: e.Name, Path: e.Path, ARN: e.arn(),
			MaxSession: time.Duration(e.Role.MaxSeconds) * time.Second,
			Service:    e.Role.Service,
		}
		role.Trust.Name = "trust policy of " + e.arn()
		if role.Trust.Document, err = s.trust(e); err != nil {
			return err
		}
		role.Policies, err = s.policiesOf(tx, e)
		return err
	})
	return role, err
}

// ManagedPolicy finds the default version of a managed policy that an account may
// use: its own or one of AWS. One that does not exist is an error of kind
// fault.NotFound.
func (s *Service) ManagedPolicy(ctx context.Context, account, arn string) (
	p policy.Policy, err error,
) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		e, err := managed(tx, account, arn)
		if err == nil && e == nil {
			err = noPolicy(arn)
		}
		if err != nil {
			return err
		}
		p, err = s.managedPolicy(tx, account, arn)
		return err
	})
	return p, err
}

func (e *entity) tagMap() map[string]string {
	m := make(map[string]string, len(e.Tags))
	for _, t := range e.Tags {
		m[t.Key] = t.Value
	}
	return m
}

// policiesOf reads all policies of a user or role. One that cannot be read is an
// error: it might deny.
func (s *Service) policiesOf(tx *control.Tx, e *entity) (set Policies, err error) {
	owners := []*entity{e}
	if e.User != nil {
		groups, err := groupsOf(tx, e)
		if err != nil {
			return set, err
		}
		owners = append(owners, groups...)
	}
	for _, o := range owners {
		list, err := s.ownPolicies(tx, o)
		if err != nil {
			return set, err
		}
		set.Identity = append(set.Identity, list...)
	}
	if e.Boundary != "" {
		if set.Boundary, err = s.managedPolicy(tx, e.Account, e.Boundary); err != nil {
			return set, err
		}
	}
	set.Tags = e.tagMap()
	return set, nil
}

// ownPolicies are the inline and managed policies of one user, group or role. An
// inline one goes by the name of its owner and its own: group/admins/all.
func (s *Service) ownPolicies(tx *control.Tx, e *entity) ([]policy.Policy, error) {
	list := make([]policy.Policy, 0, len(e.Inline)+len(e.Attached))
	for _, p := range e.Inline {
		doc, err := s.documents.of(p.Document, policy.Identity)
		if err != nil {
			return nil, err
		}
		name := kinds[e.Kind].part + "/" + e.Name + "/" + p.Name
		list = append(list, policy.Policy{Name: name, Document: doc})
	}
	for _, name := range e.Attached {
		p, err := s.managedPolicy(tx, e.Account, name)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// managedPolicy is the default version of a managed policy that a row names.
func (s *Service) managedPolicy(tx *control.Tx, account, name string) (
	p policy.Policy, err error,
) {
	e, err := managed(tx, account, name)
	if err != nil {
		return p, err
	}
	if e == nil {
		return p, damagedPolicy(name)
	}
	p.Name = name
	p.Document, err = s.documents.of(e.document(), policy.Identity)
	return p, err
}
