package policy

import (
	"strings"

	"coffer/internal/arn"
)

// reach is how a policy or a grant names a principal, weakest first. It
// decides whether the principal's own policies have a say as well.
type reach uint8

const (
	unnamed   reach = iota
	byAccount       // its account: the account's identity policies decide
	byIssuer        // the role or user behind its session: the session's limits hold
	byName          // itself, its service, its provider, or everyone
)

// nameKind is what sort of name stands in a Principal element.
type nameKind uint8

const (
	nameEveryone  nameKind = iota
	nameAccount            // an account id, also for the ARN of its root
	nameARN                // of a user, role or session
	nameUniqueID           // AIDA… or AROA…, left of a principal that was deleted
	nameService            // a service principal
	nameProvider           // an identity provider, or * for any
	nameCanonical          // an S3 canonical user id; no principal here has one
)

// principalName is one name of a Principal or NotPrincipal element.
type principalName struct {
	kind nameKind
	text string
}

// parsePrincipalName reads a name under one of the four element keys.
// Wildcards within a name are refused, as AWS does.
func parsePrincipalName(element, s string) (principalName, bool) {
	if s == "" || len(s) > maxString {
		return principalName{}, false
	}
	if s == "*" && element == "Federated" {
		return principalName{nameProvider, s}, true
	}
	if s == "*" {
		return principalName{kind: nameEveryone}, element == "AWS"
	}
	if strings.ContainsAny(s, "*?") {
		return principalName{}, false
	}
	switch element {
	case "AWS":
		return parseAWSName(s)
	case "Service":
		return principalName{nameService, s}, strings.Contains(s, ".")
	case "Federated":
		return principalName{nameProvider, s}, true
	case "CanonicalUser":
		return principalName{nameCanonical, s}, true
	}
	return principalName{}, false
}

func parseAWSName(s string) (principalName, bool) {
	if isAccount(s) {
		return principalName{nameAccount, s}, true
	}
	if isUniqueID(s) {
		return principalName{nameUniqueID, s}, true
	}
	a, err := arn.Parse(s)
	if err != nil || a.Region != "" || !isAccount(a.Account) {
		return principalName{}, false
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		return principalName{nameAccount, a.Account}, true
	case a.Service == "iam" && (kind == "user" || kind == "role") && rest != "":
		return principalName{nameARN, s}, true
	case a.Service == "sts" && kind == "assumed-role" && strings.Contains(rest, "/"):
		return principalName{nameARN, s}, true
	case a.Service == "sts" && kind == "federated-user" && rest != "":
		return principalName{nameARN, s}, true
	}
	return principalName{}, false
}

// isUniqueID reports whether s has the form of an IAM unique id.
func isUniqueID(s string) bool {
	if len(s) < 16 || len(s) > 128 || !strings.HasPrefix(s, "A") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// reach says how the name reaches p.
func (n *principalName) reach(p *Principal) reach {
	switch n.kind {
	case nameEveryone:
		return byName
	case nameAccount:
		return accountReach(p, n.text)
	case nameARN:
		return arnReach(p, n.text)
	case nameUniqueID:
		return idReach(p, n.text)
	case nameService:
		return nameIf(p.Kind == Service && p.Service == n.text)
	case nameProvider:
		return nameIf(p.Kind == Federated && (n.text == "*" || p.Provider == n.text))
	}
	return unnamed
}

func nameIf(is bool) reach {
	if is {
		return byName
	}
	return unnamed
}

// accountReach says how the name of an account reaches p. For the root user
// it is the own name.
func accountReach(p *Principal, account string) reach {
	if !p.hasIdentity() || p.Account != account {
		return unnamed
	}
	if p.Kind == Root {
		return byName
	}
	return byAccount
}

// arnReach says how the ARN of a user, role or session reaches p.
func arnReach(p *Principal, name string) reach {
	switch {
	case !p.hasIdentity():
		return unnamed
	case name == p.ARN:
		return byName
	case name == p.Issuer:
		return byIssuer
	}
	return unnamed
}

func idReach(p *Principal, id string) reach {
	switch {
	case p.EntityID() != id:
		return unnamed
	case p.Kind == User:
		return byName
	}
	return byIssuer
}

// reachOf says how a name outside a policy, such as the grantee of a grant,
// reaches p: an ARN, an account id or a service principal.
func reachOf(name string, p *Principal) reach {
	switch {
	case name == "":
		return unnamed
	case p.Kind == Service:
		return nameIf(name == p.Service)
	case name == p.Account, strings.HasSuffix(name, ":root") && p.isRoot(name):
		return accountReach(p, p.Account)
	}
	return arnReach(p, name)
}
