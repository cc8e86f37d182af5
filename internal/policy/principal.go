package policy

import (
	"strings"

	"coffer/internal/arn"
)

// PrincipalKind is what sort of caller a principal is.
type PrincipalKind uint8

// The kinds. The zero kind is nobody and is denied everything, so that a
// request whose principal was forgotten cannot pass.
const (
	Nobody        PrincipalKind = iota
	Root                        // the root user of an account
	User                        // an IAM user, also with credentials of GetSessionToken
	AssumedRole                 // a session of a role
	FederatedUser               // a session of GetFederationToken
	Service                     // an AWS service by itself, such as mq.amazonaws.com
	Federated                   // someone known to an identity provider only
	Anonymous                   // someone who did not sign
)

// Principal is who makes a request.
type Principal struct {
	Kind PrincipalKind
	// Account is the 12-digit id; empty for Service, Federated and Anonymous.
	Account string
	// ARN is the principal's own name: …:root, …:user/…, …:assumed-role/…/… or
	// …:federated-user/…; empty for Service and Federated.
	ARN string
	// Issuer is the role behind an AssumedRole, with its path, or the user
	// (or root) behind a FederatedUser. Its policies are the identity policies.
	Issuer string
	// Name is the friendly name of a User, for ${aws:username}.
	Name string
	// UserID is the unique id: AIDA… of a user, AROA…:session of a role's
	// session, account:name of a federated user; for root it is the account.
	UserID string
	// IssuerID is the unique id of the user behind a FederatedUser.
	IssuerID string
	// Service is the service principal of a Service.
	Service string
	// Provider is the identity provider of a Federated: a domain or an ARN.
	Provider string
}

// RootPrincipal is the root user of an account in the partition aws.
func RootPrincipal(account string) Principal {
	return Principal{Kind: Root, Account: account, ARN: rootARN("aws", account), UserID: account}
}

// ServicePrincipal is an AWS service that calls by itself.
func ServicePrincipal(name string) Principal { return Principal{Kind: Service, Service: name} }

// String names the principal for people.
func (p *Principal) String() string {
	switch {
	case p.Kind == Nobody:
		return "nobody"
	case p.Kind == Service:
		return p.Service
	case p.Kind == Federated:
		return p.Provider
	case p.Kind == Anonymous:
		return "anonymous"
	}
	return p.ARN
}

// complete reports whether the fields that decide for its kind are there.
func (p *Principal) complete() bool {
	switch p.Kind {
	case Root, User:
		return isAccount(p.Account) && accountOf(p.ARN) == p.Account && p.Issuer == ""
	case AssumedRole, FederatedUser:
		return isAccount(p.Account) && accountOf(p.ARN) == p.Account &&
			accountOf(p.Issuer) == p.Account
	case Service:
		return p.Service != ""
	case Federated:
		return p.Provider != ""
	case Anonymous:
		return p.Account == ""
	}
	return false
}

// policyARN is aws:PrincipalArn: of a role's session it is the role.
func (p *Principal) policyARN() string {
	if p.Kind == AssumedRole {
		return p.Issuer
	}
	return p.ARN
}

func (p *Principal) userName() string {
	if p.Kind == User {
		return p.Name
	}
	return ""
}

func (p *Principal) userID() string {
	switch p.Kind {
	case Root:
		return p.Account
	case Anonymous:
		return "anonymous"
	}
	return p.UserID
}

// EntityID is the unique id of the user or role whose policies count: AIDA… or
// AROA…; empty where there is none.
func (p *Principal) EntityID() string {
	switch p.Kind {
	case User:
		return p.UserID
	case AssumedRole:
		id, _, _ := strings.Cut(p.UserID, ":")
		return id
	case FederatedUser:
		return p.IssuerID
	}
	return ""
}

// principalType is aws:PrincipalType.
func (k PrincipalKind) principalType() string {
	switch k {
	case Root:
		return "Account"
	case User:
		return "User"
	case AssumedRole:
		return "AssumedRole"
	case FederatedUser:
		return "FederatedUser"
	case Anonymous:
		return "Anonymous"
	}
	return ""
}

// hasIdentity reports whether identity policies can say anything about p.
func (p *Principal) hasIdentity() bool {
	switch p.Kind {
	case Service, Federated, Anonymous:
		return false
	}
	return true
}

// isRoot reports whether name is the ARN of the account of p, and so p's own
// name if p is its root user.
func (p *Principal) isRoot(name string) bool {
	rest, ok := strings.CutPrefix(name, "arn:")
	if !ok || !isAccount(p.Account) {
		return false
	}
	_, rest, _ = strings.Cut(rest, ":")
	rest, ok = strings.CutPrefix(rest, "iam::")
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, p.Account)
	return ok && rest == ":root"
}

func rootARN(partition, account string) string {
	return "arn:" + partition + ":iam::" + account + ":root"
}

// isAccount reports whether s is a 12-digit account id.
func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// accountOf gives the account part of an ARN, or "".
func accountOf(name string) string {
	a, err := arn.Parse(name)
	if err != nil {
		return ""
	}
	return a.Account
}
