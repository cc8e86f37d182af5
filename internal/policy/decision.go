package policy

// Reason is what a decision rests on.
type Reason string

// The reasons of an Allow.
const (
	AllowedByIdentity  Reason = "an identity policy allows"
	AllowedAsRoot      Reason = "the account's root user needs no identity policy"
	AllowedByResource  Reason = "the resource policy allows the principal"
	AllowedByBoth      Reason = "the resource policy and an identity policy allow"
	AllowedByGrant     Reason = "a grant allows"
	AllowedByOwnership Reason = "the grant may be retired by its account"
)

// The reasons of a denial.
const (
	DeniedRequest    Reason = "the request lacks what a decision needs"
	DeniedExplicitly Reason = "a statement denies"
	DeniedByDefault  Reason = "nothing allows"
	DeniedByIdentity Reason = "the resource policy lets in, but no identity policy allows"
	DeniedByResource Reason = "the principal's account allows, but the resource policy does not"
	DeniedByBoundary Reason = "the permissions boundary does not allow"
	DeniedBySession  Reason = "the session policies do not allow"
	DeniedNoGrant    Reason = "the grant that the request names is not on the key"
	DeniedByGrant    Reason = "the grant that the request names does not allow"
)

// SourceKind is where a deciding statement stands.
type SourceKind string

// The sources.
const (
	FromNothing  SourceKind = ""
	FromIdentity SourceKind = "identity policy"
	FromBoundary SourceKind = "permissions boundary"
	FromSession  SourceKind = "session policy"
	FromResource SourceKind = "resource policy"
	FromGrant    SourceKind = "grant"
	FromRoot     SourceKind = "root user"
)

// Source is the statement, grant or standing that decided.
type Source struct {
	Kind      SourceKind
	Name      string // of the policy, or the id of the grant
	Statement string // its Sid, else "#" and its place from 1; empty for a grant
}

// String gives the source in words.
func (s Source) String() string {
	text := string(s.Kind)
	if s.Name != "" {
		text += " " + s.Name
	}
	if s.Statement != "" {
		text += ", statement " + s.Statement
	}
	return text
}

// Decision is the answer to a request. It holds the request, for Explain.
type Decision struct {
	Allowed bool
	Reason  Reason
	// By is what decided: of an Allow, the allowing statement or grant (with
	// AllowedByBoth, the identity policy's), of an explicit denial the denying
	// statement; of other denials it is empty.
	By Source
	// With is the resource policy's statement where both allowed.
	With Source

	request Request
}

// ExplicitDeny reports whether a Deny statement decided: no Allow can help.
func (d *Decision) ExplicitDeny() bool { return d.Reason == DeniedExplicitly }

// Summary gives the decision in one line: what was asked, and what decided.
func (d Decision) Summary() string {
	text := d.request.Action + " on " + d.request.Resource
	if !d.Allowed {
		return oneLine(text + ": denied, " + string(d.Reason))
	}
	text += ": allowed by " + d.By.String()
	if d.With.Kind != FromNothing {
		text += " with " + d.With.String()
	}
	return oneLine(text)
}

// verdict is the answer of one part of an evaluation.
type verdict struct {
	allowed bool
	reason  Reason
	by      Source
	with    Source
}

func allow(r Reason, by Source) verdict { return verdict{allowed: true, reason: r, by: by} }

func deny(r Reason) verdict { return verdict{reason: r} }
