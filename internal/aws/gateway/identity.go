package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// Identity is who holds an access key. Its fields go into the [policy.Request] of
// each decision.
type Identity struct {
	Secret    sigv4.Secret
	Principal policy.Principal
	Policies  []policy.Policy   // identity-based policies; none for root
	Boundary  policy.Policy     // its Document may be nil for none
	Tags      map[string]string // of the principal, those of its session before its own
	Session   *Session          // nil for long-term credentials
	Event     audit.Identity    // how events show the caller
}

// Session is what temporary credentials add to who holds them.
type Session struct {
	Policies        []policy.Policy // that limit the session
	Issued, Expires time.Time
	// MFA is when a one-time code proved the caller's device; zero: none did.
	MFA time.Time
	// SourceIdentity is who began a chain of roles; it cannot be changed on the way.
	SourceIdentity string
	// Barred are prefixes of actions of services that these credentials do not
	// reach, such as "iam".
	Barred []string
	// Transitive are the session's tags that pass on to roles assumed with it.
	Transitive map[string]string
}

// Identities finds who signed a request. It is asked twice: for the signature,
// and again in the request's unit of work, so that what changed meanwhile counts.
type Identities interface {
	// Identity gives the holder of an access key. Unknown, inactive and deleted
	// keys are an error of kind fault.Unauthenticated, and temporary credentials
	// past their time are [ErrExpired].
	Identity(ctx context.Context, accessKeyID, sessionToken string) (*Identity, error)
}

// ErrExpired: the session of the credentials is over.
var ErrExpired error = fault.New(fault.Unauthenticated,
	"The security token included in the request is expired")

// unknownCaller gives the error of a lookup the form of a failed signature.
func unknownCaller(err error) error {
	switch {
	case errors.Is(err, ErrExpired):
		return &sigv4.Error{Kind: sigv4.ExpiredToken,
			Text: "The security token included in the request is expired"}
	case fault.KindOf(err) == fault.Unauthenticated:
		return invalidToken()
	}
	return err
}

func invalidToken() *sigv4.Error {
	return &sigv4.Error{Kind: sigv4.UnknownKey,
		Text: "The security token included in the request is invalid."}
}

// renew looks the caller up again, in the unit of work that will decide: a policy
// that was detached while the body travelled must not count.
func (g *Gateway) renew(ctx context.Context, api *wire.API, call *Call) error {
	if call.credential == nil {
		return nil // a call from inside the process
	}
	who, err := g.ids.Identity(ctx, call.credential.AccessKeyID, call.credential.SessionToken)
	if err != nil {
		return signatureFault(api, unknownCaller(err))
	}
	if s := who.Session; s != nil && slices.Contains(s.Barred, api.ActionPrefix) {
		return signatureFault(api, invalidToken())
	}
	call.identity, call.Principal = who, who.Principal
	return nil
}

// conditions are the condition keys that follow from the credentials.
func (i *Identity) conditions(keys conditions, now time.Time, mfa bool) {
	for k, v := range i.Tags {
		keys.add("aws:PrincipalTag/"+k, v)
	}
	s := i.Session
	if s != nil {
		keys.add("aws:TokenIssueTime", s.Issued.UTC().Format(time.RFC3339))
		if s.SourceIdentity != "" {
			keys.add("aws:SourceIdentity", s.SourceIdentity)
		}
	}
	// Of a role's session nothing is known of devices: whoever assumed it may have
	// shown one to the trust policy. AWS documents the same.
	since := time.Time{}
	switch {
	case mfa:
		since = now
	case s == nil:
		return // long-term credentials have no such keys
	case i.Principal.Kind == policy.User || i.Principal.Kind == policy.Root:
		since = s.MFA
	}
	keys.add("aws:MultiFactorAuthPresent", strconv.FormatBool(!since.IsZero()))
	if !since.IsZero() {
		age := max(0, int64(now.Sub(since)/time.Second))
		keys.add("aws:MultiFactorAuthAge", strconv.FormatInt(age, 10))
	}
}

// conditions are condition keys with their values.
type conditions map[string][]string

func (c conditions) add(key string, values ...string) { c[key] = append(c[key], values...) }

// fill puts the keys into the form of a request.
func (c conditions) fill(to *policy.Context) {
	for _, k := range slices.Sorted(maps.Keys(c)) {
		to.Add(k, c[k]...)
	}
}
