package sts

import (
	"context"
	"fmt"
	"time"

	"coffer/internal/arn"
	"coffer/internal/audit"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Identity finds the holder of an access key: of a session by its token, else in
// the directory.
func (s *Service) Identity(ctx context.Context, accessKeyID, sessionToken string) (
	who *gateway.Identity, err error,
) {
	if sessionToken == "" {
		return s.dir.Identity(ctx, accessKeyID, "")
	}
	t, err := openToken(s.db.Platform(), accessKeyID, sessionToken)
	if err != nil {
		return nil, unknown()
	}
	err = s.db.Peek(ctx, func(ctx context.Context, tx *control.Tx) error {
		if t.expired(tx.Time()) {
			return fmt.Errorf("session of %s: %w", accessKeyID, gateway.ErrExpired)
		}
		switch t.Kind {
		case ofRole:
			who, err = s.roleSession(ctx, t)
		case ofUser:
			who, err = s.userSession(ctx, t)
		case ofFederated:
			who, err = s.federatedSession(ctx, t)
		default:
			err = fmt.Errorf("session of kind %q", t.Kind)
		}
		if err != nil {
			return err
		}
		who.Secret = sigv4.NewSecret(t.Secret)
		who.Event.AccessKeyID = accessKeyID
		return nil
	})
	return who, err
}

func unknown() error {
	return fault.New(fault.Unauthenticated,
		"The security token included in the request is invalid.")
}

// roleSession looks the role up. One that was made anew under its name is another.
func (s *Service) roleSession(ctx context.Context, t *session) (*gateway.Identity, error) {
	role, err := s.dir.Role(ctx, t.Account, t.Role)
	if fault.KindOf(err) == fault.NotFound || err == nil && role.ID != t.RoleID {
		return nil, unknown()
	}
	if err != nil {
		return nil, err
	}
	who := &gateway.Identity{
		Principal: policy.Principal{
			Kind: policy.AssumedRole, Account: t.Account, Issuer: role.ARN,
			ARN:    arn.New("sts", "", t.Account, "assumed-role/"+role.Name+"/"+t.Name).String(),
			UserID: role.ID + ":" + t.Name,
		},
		Policies: role.Policies, Boundary: role.Boundary,
		Tags: t.over(role.Tags),
	}
	if err := s.limit(ctx, who, t); err != nil {
		return nil, err
	}
	who.Session.SourceIdentity = t.Source
	who.Event = audit.Identity{
		Type: "AssumedRole", PrincipalID: who.Principal.UserID, ARN: who.Principal.ARN,
		AccountID: t.Account,
		SessionContext: t.context(&audit.SessionIssuer{
			Type: "Role", PrincipalID: role.ID, ARN: role.ARN, AccountID: t.Account,
			UserName: role.Name,
		}),
	}
	return who, nil
}

// userSession looks up the access key that the session was made with: a user that
// is gone or whose key was deactivated has no sessions.
func (s *Service) userSession(ctx context.Context, t *session) (*gateway.Identity, error) {
	base, err := s.dir.Identity(ctx, t.Key, "")
	if err != nil {
		return nil, err
	}
	who := *base
	if err := s.limit(ctx, &who, t); err != nil {
		return nil, err
	}
	if t.MFA == 0 {
		who.Session.Barred = []string{"iam"}
	}
	who.Event.SessionContext = t.context(nil)
	return &who, nil
}

func (s *Service) federatedSession(ctx context.Context, t *session) (*gateway.Identity, error) {
	base, err := s.dir.Identity(ctx, t.Key, "")
	if err != nil {
		return nil, err
	}
	who := &gateway.Identity{
		Principal: policy.Principal{
			Kind: policy.FederatedUser, Account: t.Account, Issuer: base.Principal.ARN,
			ARN:    arn.New("sts", "", t.Account, "federated-user/"+t.Name).String(),
			UserID: t.Account + ":" + t.Name, IssuerID: base.Principal.EntityID(),
		},
		Policies: base.Policies, Boundary: base.Boundary,
		Tags: t.over(base.Tags),
	}
	if base.Principal.Kind == policy.Root {
		all, err := policy.Parse([]byte(allowAll), policy.Identity)
		if err != nil {
			return nil, fmt.Errorf("parse own policy: %w", err)
		}
		who.Policies = []policy.Policy{{Name: "root user", Document: all}}
	}
	if err := s.limit(ctx, who, t); err != nil {
		return nil, err
	}
	who.Session.Barred = []string{"iam"}
	issuer := &audit.SessionIssuer{
		Type: base.Event.Type, PrincipalID: base.Event.PrincipalID, ARN: base.Event.ARN,
		AccountID: t.Account, UserName: base.Event.UserName,
	}
	who.Event = audit.Identity{
		Type: "FederatedUser", PrincipalID: who.Principal.UserID, ARN: who.Principal.ARN,
		AccountID: t.Account, SessionContext: t.context(issuer),
	}
	return who, nil
}

// allowAll is what a root user gives a federated user; the session's policies
// limit it.
const allowAll = `{"Version":"2012-10-17","Statement":` +
	`[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// limit gives who the session with its policies. A managed policy that is gone
// allows nothing.
func (s *Service) limit(ctx context.Context, who *gateway.Identity, t *session) error {
	who.Session = &gateway.Session{
		Issued: time.Unix(t.Issued, 0).UTC(), Expires: time.Unix(t.Expires, 0).UTC(),
		Transitive: t.transitive(),
	}
	if t.MFA != 0 {
		who.Session.MFA = time.Unix(t.MFA, 0).UTC()
	}
	var list []policy.Policy
	if t.Policy != "" {
		doc, err := policy.Parse([]byte(t.Policy), policy.Identity)
		if err != nil {
			return fmt.Errorf("policy of a session: %s", err.Error())
		}
		list = append(list, policy.Policy{Name: "session policy", Document: doc})
	}
	for _, name := range t.PolicyARNs {
		p, err := s.dir.ManagedPolicy(ctx, t.Account, name)
		switch {
		case fault.KindOf(err) == fault.NotFound:
			p = policy.Policy{Name: name}
		case err != nil:
			return err
		}
		list = append(list, p)
	}
	who.Session.Policies = list
	return nil
}

// context is how events show the session.
func (t *session) context(issuer *audit.SessionIssuer) *audit.SessionContext {
	mfa := "false"
	if t.MFA != 0 {
		mfa = "true"
	}
	return &audit.SessionContext{
		SessionIssuer: issuer, SourceIdentity: t.Source,
		Attributes: audit.SessionAttributes{
			CreationDate:     time.Unix(t.Issued, 0).UTC().Format(time.RFC3339),
			MFAAuthenticated: mfa,
		},
	}
}
