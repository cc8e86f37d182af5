package gateway

import (
	"net/http"

	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// claimed finds the service and whom the request says it is from. Nothing of
// that is verified yet; but only for an access key that exists is a body read.
func (g *Gateway) claimed(q *request) (*Identity, error) {
	claim, err := sigv4.Parse(q.http)
	q.claim = claim
	q.service = g.find(q.http, claim)
	if err != nil {
		return nil, g.unverified(q, err)
	}
	if q.service == nil {
		return nil, &wire.Error{Code: "UnknownOperationException", Status: 501,
			Message: "The service " + claim.Service + " is not implemented by Coffer."}
	}
	who, err := g.ids.Identity(q.http.Context(), claim.AccessKeyID, claim.SessionToken)
	if fault.KindOf(err) == fault.Unauthenticated {
		return nil, g.unverified(q, unknownCaller(err))
	}
	return who, err
}

// authenticate verifies the signature.
func (g *Gateway) authenticate(q *request, who *Identity) (*sigv4.Credential, error) {
	secret := func(string) (sigv4.Secret, error) { return who.Secret, nil }
	cred, err := g.verifier.VerifyClaim(q.http, q.body, q.claim, secret)
	if err != nil {
		return nil, g.unverified(q, err)
	}
	wrong := ""
	switch {
	case cred.UnsignedPayload && q.http.TLS == nil:
		wrong = "An unsigned payload is accepted over TLS only."
	case cred.Service != q.service.API.SigningName:
		wrong = "Credential should be scoped to correct service: '" +
			q.service.API.SigningName + "'."
	case !region.MatchString(cred.Region):
		wrong = "Credential should be scoped to a valid region."
	default:
		return cred, nil
	}
	return nil, g.unverified(q, &sigv4.Error{Kind: sigv4.Mismatch, Text: wrong})
}

// unverified logs a request that nobody is known to have made.
func (g *Gateway) unverified(q *request, err error) error {
	api := g.speaker(q).API
	g.cfg.Logger.Info("request refused", "request", q.id, "service", api.Name,
		"source", q.http.RemoteAddr, "reason", err.Error())
	return signatureFault(api, err)
}

// find picks the service: by target header, else by the credential scope, else
// by what the request would be without a body.
func (g *Gateway) find(r *http.Request, claim *sigv4.Claim) *service {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		s := g.service(func(a *wire.API) bool {
			_, ok := a.Target(target)
			return ok
		})
		if s != nil {
			return s
		}
	}
	if claim != nil {
		return g.service(func(a *wire.API) bool { return a.SigningName == claim.Service })
	}
	in := &wire.Request{Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header}
	for _, s := range g.services {
		if _, err := s.codec.For(r.Header).Route(in); err == nil {
			return s
		}
	}
	return nil
}
