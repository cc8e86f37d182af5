package iam

import (
	"strings"

	"coffer/internal/arn"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// checkTrust refuses a document that is no trust policy, and gives the unique ids
// of the users and roles that it names. One that does not exist is refused, unless
// its account is none of this store: nobody there can call.
func (r *request) checkTrust(text string) (ids map[string]string, err error) {
	if length(text) > maxTrust {
		return nil, overQuota("ACLSizePerRole", maxTrust)
	}
	doc, err := r.s.documents.parse(text, policy.Trust)
	if err != nil {
		return nil, err
	}
	ids = map[string]string{}
	for _, name := range doc.PrincipalARNs() {
		known, e, err := principal(r.tx, name)
		switch {
		case err != nil:
			return nil, err
		case e != nil:
			ids[name] = e.ID
		case known:
			return nil, malformedPolicy(`Invalid principal in policy: "AWS":"` + name + `"`)
		}
	}
	return ids, nil
}

// principal finds the user or role of an ARN, in any account of the store; known
// tells whether the account is one.
func principal(tx *control.Tx, name string) (known bool, e *entity, err error) {
	a, err := arn.Parse(name)
	if err != nil {
		return false, nil, nil
	}
	_, known, err = tx.Get(control.TableAccount, scope(tx, a.Account))
	if err != nil || !known {
		return known, nil, err
	}
	for _, k := range []kind{userKind, roleKind} {
		if path, ok := strings.CutPrefix(a.Resource, kinds[k].part+"/"); ok {
			e, err = byName(tx, a.Account, k, path[strings.LastIndexByte(path, '/')+1:])
		}
	}
	if err == nil && e != nil && e.arn() != name {
		e = nil
	}
	return known, e, err
}

// trust is the trust policy as it counts: with unique ids.
func (s *Service) trust(e *entity) (*policy.Document, error) {
	doc, err := s.documents.of(e.Role.Trust, policy.Trust)
	if err != nil {
		return nil, err
	}
	return doc.Pin(e.Role.Principals), nil
}

// shownTrust is the trust policy as answers show it: as it was put, but for who was
// renamed since, and for who was deleted, whose unique id is shown.
func (e *entity) shownTrust(tx *control.Tx) (string, error) {
	text := e.Role.Trust
	for name, id := range e.Role.Principals {
		a, err := arn.Parse(name)
		if err != nil {
			continue
		}
		k := userKind
		if strings.HasPrefix(a.Resource, kinds[roleKind].part+"/") {
			k = roleKind
		}
		now := id
		there, err := byID(tx, a.Account, k, id)
		if err != nil {
			return "", err
		}
		if there != nil {
			now = there.arn()
		}
		if now != name {
			text = strings.ReplaceAll(text, `"`+name+`"`, `"`+now+`"`)
		}
	}
	return encoded(text), nil
}
