package policy

import "time"

// Policy is a document with the name it goes by in explanations, such as the
// ARN of a managed policy.
type Policy struct {
	Name     string
	Document *Document
}

// Keys says where the values of condition keys come from.
type Keys uint8

// The sources of keys that follow from the other fields of a request.
const (
	Derived    Keys = iota // from those fields, whatever Context says
	GivenFirst             // from Context, else from those fields
	GivenOnly              // from Context
)

// Request is one use of one resource by one principal, and all that decides
// it. [Evaluate] reads it and keeps it in the [Decision]; nothing that it
// points to may change as long as either is in use.
type Request struct {
	Principal Principal
	Action    string // service:Operation, such as kms:Decrypt
	// Resource is an ARN, or * for an action on no resource in particular.
	Resource string
	// ResourceAccount owns the resource. Empty means the account in Resource,
	// and for * the principal's own.
	ResourceAccount string
	// Context has the condition keys that do not follow from other fields.
	Context Context
	// EncryptionContext is that of a KMS operation, and for kms:CreateGrant the
	// pairs in the constraints asked for.
	EncryptionContext map[string]string
	// Time is when the request arrived; zero leaves the time keys absent.
	Time time.Time
	// Keys says where the values of condition keys come from that follow from
	// the other fields; other values than zero are for simulations.
	Keys Keys

	// Identity are the policies of the user with those of its groups, or of the
	// role: parsed as Identity.
	Identity []Policy
	// Boundary limits what Identity gives; its Document may be nil for none.
	Boundary Policy
	// Session are the policies passed when the session was made; together they
	// limit it. None means no limit, except for a FederatedUser, who then has
	// nothing from Identity.
	Session []Policy
	// ResourcePolicy is that of the resource: parsed as Resource or Trust; its
	// Document may be nil for none.
	ResourcePolicy Policy
	// RootOfTrust says that nothing but ResourcePolicy lets principals of the
	// owning account in: so it is with KMS keys and with the trust of roles.
	// Identity policies count only where it lets the account in.
	RootOfTrust bool

	// Grants are those on the key, in the order in which explanations show them.
	Grants []Grant
	// OnlyGrant, if not empty, is the id of the grant in whose name the request
	// is made: nothing else may allow it, though anything may deny it. For
	// kms:RetireGrant it is the grant to retire.
	OnlyGrant string
	// NewGrant is what kms:CreateGrant is to make; permission to make grants
	// that comes from a grant reaches only as far as [Narrows].
	NewGrant *Grant
}

// evaluation is one run of Evaluate.
type evaluation struct {
	request         *Request
	action          string // folded
	resource        splitName
	resourceAccount string
}

// prepare fills e; false means that the request cannot be decided.
func (e *evaluation) prepare() bool {
	r := e.request
	e.action = fold(r.Action)
	e.resource = splitARN(r.Resource)
	e.resourceAccount = r.ResourceAccount
	if e.resourceAccount == "" && e.resource.valid {
		e.resourceAccount = e.resource.parts[4]
	}
	if e.resourceAccount == "" && r.Resource == "*" {
		e.resourceAccount = r.Principal.Account
	}
	if !r.Principal.complete() || r.Action == "" || r.Resource == "" || e.resourceAccount == "" {
		return false
	}
	if in := e.resource.parts[4]; e.resource.valid && isAccount(in) && in != e.resourceAccount {
		return false
	}
	return e.placed()
}

// placed reports whether every document stands where it was parsed for. An
// identity policy in a resource's place would name everyone.
func (e *evaluation) placed() bool {
	r := e.request
	for _, list := range [...][]Policy{r.Identity, r.Session, {r.Boundary}} {
		for i := range list {
			if d := list[i].Document; d != nil && d.use != Identity {
				return false
			}
		}
	}
	d := r.ResourcePolicy.Document
	return d == nil || d.use != Identity
}

// sameAccount reports whether principal and resource belong to one account.
func (e *evaluation) sameAccount() bool {
	return e.request.Principal.Account == e.resourceAccount
}
