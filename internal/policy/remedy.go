package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// remedy is something that would allow, and how to add it.
type remedy struct {
	text string
	verb string // of what to do with add
	add  string // a statement, or a command
}

// addition is a statement to add.
type addition struct {
	Effect    string
	Principal any `json:",omitempty"`
	Action    string
	Resource  string `json:",omitempty"`
}

// statementFor writes the statement that would allow the request; with a
// principal it is one for the resource's policy.
func (e *evaluation) statementFor(principal any) string {
	r := e.request
	a := addition{Effect: "Allow", Principal: principal, Action: r.Action, Resource: r.Resource}
	d := r.ResourcePolicy.Document
	switch {
	case principal == nil:
	case d != nil && d.use == Trust:
		a.Resource = ""
	case strings.HasPrefix(e.action, kmsPrefix):
		a.Resource = "*" // of a key policy it is the key
	}
	b, err := json.Marshal(a)
	if err != nil {
		return "" // strings always have JSON
	}
	return string(b)
}

// element is the Principal element that names p: of a role's session the role.
func (p *Principal) element() any {
	switch p.Kind {
	case Service:
		return map[string]string{"Service": p.Service}
	case Federated:
		return map[string]string{"Federated": p.Provider}
	case Anonymous:
		return "*"
	case AssumedRole:
		return map[string]string{"AWS": p.Issuer}
	}
	return map[string]string{"AWS": p.ARN}
}

// owner names whose identity policies count for p.
func (p *Principal) owner() string {
	switch p.Kind {
	case AssumedRole:
		return "the role " + p.Issuer
	case FederatedUser:
		return "the user " + p.Issuer
	}
	return p.ARN
}

// inIdentity is an Allow in an identity policy.
func (e *evaluation) inIdentity() remedy {
	r := e.request
	text := fmt.Sprintf("an Allow of %s in an identity policy of %s", r.Action,
		r.Principal.owner())
	var names []string
	for i := range r.Identity {
		if n := r.Identity[i].Name; n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if more := len(names) - 4; more > 0 {
		names = append(names[:4], fmt.Sprintf("%d more", more))
	}
	if len(names) > 0 {
		text += ", which has " + strings.Join(names, ", ")
	}
	return remedy{text, "add", e.statementFor(nil)}
}

// inResource is an Allow for the principal in the resource's policy.
func (e *evaluation) inResource() remedy {
	r := e.request
	return remedy{fmt.Sprintf("an Allow of %s for %s in %s", r.Action, &r.Principal,
		e.policyName()), "add", e.statementFor(r.Principal.element())}
}

func (e *evaluation) policyName() string {
	p := &e.request.ResourcePolicy
	switch {
	case p.Document == nil:
		return "a resource policy of " + e.request.Resource
	case p.Name == "":
		return "the resource policy"
	}
	return "the resource policy " + p.Name
}

// remedies says what would allow, given the reason of the denial.
func (e *evaluation) remedies(reason Reason) []remedy {
	r := e.request
	p := &r.Principal
	var list []remedy
	switch reason {
	case DeniedByBoundary:
		text := fmt.Sprintf("an Allow of %s in the permissions boundary %s", r.Action,
			r.Boundary.Name)
		return []remedy{{strings.TrimSpace(text), "add", e.statementFor(nil)}}
	case DeniedBySession:
		text := "an Allow of %s in a session policy; they are given when the session is made"
		return []remedy{{fmt.Sprintf(text, r.Action), "add", e.statementFor(nil)}}
	case DeniedNoGrant:
		return []remedy{{text: fmt.Sprintf("grant %s, if it were on the key: it was revoked, "+
			"retired or never made", r.OnlyGrant)}}
	case DeniedByGrant:
		return []remedy{{text: fmt.Sprintf("grant %s, if it let %s do %s", r.OnlyGrant, p,
			r.Action)}}
	case DeniedByIdentity:
		list = append(list, e.inIdentity())
	case DeniedByResource:
		list = append(list, e.inResource())
	default:
		list = e.openings()
	}
	if op, ok := strings.CutPrefix(r.Action, kmsPrefix); ok && slices.Contains(grantable[:], op) {
		list = append(list, e.newGrant(op))
	}
	return list
}

// newGrant is a grant to the principal; to a role rather than to its session.
func (e *evaluation) newGrant(op string) remedy {
	p := &e.request.Principal
	to := p.String()
	if p.Kind == AssumedRole {
		to = p.Issuer
	}
	m := remedy{text: fmt.Sprintf("a grant of %s to %s", op, to)}
	if p.hasIdentity() || p.Kind == Service {
		m.verb, m.add = "run", fmt.Sprintf(
			"aws kms create-grant --key-id %s --grantee-principal %s --operations %s",
			e.request.Resource, to, op)
	}
	return m
}

// openings says what would allow where nothing does.
func (e *evaluation) openings() []remedy {
	r := e.request
	identity, resource := e.inIdentity(), e.inResource()
	switch {
	case !r.Principal.hasIdentity() || e.sameAccount() && r.Principal.Kind == Root:
		return []remedy{resource}
	case !e.sameAccount():
		resource.text += ", with the next one"
		return []remedy{resource, identity}
	case r.RootOfTrust:
		account := remedy{fmt.Sprintf("one for account %s, with the next one",
			r.Principal.Account), "add", e.statementFor(
			map[string]string{"AWS": r.Principal.Account})}
		return []remedy{resource, account, identity}
	}
	list := []remedy{identity}
	if r.ResourcePolicy.Document != nil {
		list = append(list, resource)
	}
	return list
}
