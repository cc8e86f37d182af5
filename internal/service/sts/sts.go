// Package sts is the Security Token Service: temporary credentials and who holds
// them.
//
// It guarantees that a session token is worth nothing without its secret key, with
// another access key, in another store or past its time; that all a session rests
// on (role, policies, boundary, the access key that made a user's session) is
// looked up at every request, so that taking it away counts at once; and that a
// session can never do more than what it was made from. Sessions are not stored:
// the token carries them, sealed under the platform key.
//
// What a role's session may do ends with the role or its policies, not with the
// trust policy or the caller that assumed it, as at AWS. Sign-in by SAML and
// OpenID Connect answers "not implemented".
//
// Source: STS API reference; IAM User Guide, "Temporary security credentials",
// "Compare AWS STS credentials", "Pass session tags".
package sts

import (
	"context"
	"strings"
	"time"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Role is what a session of a role rests on.
type Role struct {
	Account, Name string
	ARN           string // with its path
	ID            string // AROA…
	Trust         policy.Policy
	Policies      []policy.Policy
	Boundary      policy.Policy // its Document may be nil for none
	Tags          map[string]string
	MaxSession    time.Duration
}

// Directory knows who exists and what they may do.
type Directory interface {
	// Identities finds the holders of long-term access keys.
	gateway.Identities
	// Role finds a role; a missing one is an error of kind fault.NotFound.
	Role(ctx context.Context, account, name string) (*Role, error)
	// ManagedPolicy finds a managed policy that an account may use; a missing one
	// is an error of kind fault.NotFound.
	ManagedPolicy(ctx context.Context, account, arn string) (policy.Policy, error)
	// UseMFA checks a code of a device of the user or root user and uses it up:
	// no code is right twice. It is called outside a unit of work. A wrong one is
	// an error of kind fault.Denied.
	UseMFA(ctx context.Context, who policy.Principal, serial, code string) error
}

// Service implements the STS API and [gateway.Identities]. It is safe for
// concurrent use.
type Service struct {
	api.Unimplemented
	db  *control.DB
	dir Directory
}

var (
	_ api.Service        = (*Service)(nil)
	_ gateway.Identities = (*Service)(nil)
	_ gateway.Access     = (*Service)(nil)
	_ gateway.Preparer   = (*Service)(nil)
)

// New makes the service.
func New(db *control.DB, dir Directory) *Service { return &Service{db: db, dir: dir} }

// GetCallerIdentity tells account, ARN and unique id of the caller.
func (*Service) GetCallerIdentity(ctx context.Context, _ *api.GetCallerIdentityInput) (
	*api.GetCallerIdentityOutput, error,
) {
	p := gateway.From(ctx).Principal
	return &api.GetCallerIdentityOutput{Account: p.Account, Arn: p.ARN, UserId: p.UserID}, nil
}

// GetAccessKeyInfo tells whose an access key is: of a session's from its name, as
// at AWS, else from who holds it.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *api.GetAccessKeyInfoInput) (
	*api.GetAccessKeyInfoOutput, error,
) {
	account, ok := accountOf(in.AccessKeyId)
	if !ok && !strings.HasPrefix(in.AccessKeyId, sessionPrefix) {
		who, err := s.dir.Identity(ctx, in.AccessKeyId, "")
		if err != nil && fault.KindOf(err) != fault.Unauthenticated {
			return nil, err
		}
		if ok = err == nil; ok {
			account = who.Principal.Account
		}
	}
	if !ok {
		return nil, fault.New(fault.Invalid, "Invalid AccessKeyId: %s", in.AccessKeyId)
	}
	return &api.GetAccessKeyInfoOutput{Account: account}, nil
}

// DecodeAuthorizationMessage opens what a denied request was answered.
func (s *Service) DecodeAuthorizationMessage(
	ctx context.Context, in *api.DecodeAuthorizationMessageInput,
) (*api.DecodeAuthorizationMessageOutput, error) {
	text, err := gateway.OpenMessage(s.db, gateway.From(ctx).Account, in.EncodedMessage)
	if err != nil {
		return nil, badMessage(err)
	}
	return &api.DecodeAuthorizationMessageOutput{DecodedMessage: text}, nil
}
