package iam

import (
	"context"
	"strings"

	"coffer/internal/arn"
	"coffer/internal/control"
	"coffer/internal/fault"
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
	ids, missing, err := uniqueIDs(r.tx, doc.PrincipalARNs())
	if err == nil && missing != "" {
		err = malformedPolicy(`Invalid principal in policy: "AWS":"` + missing + `"`)
	}
	return ids, err
}

// uniqueIDs gives the unique ids of the users and roles that ARNs name, and the
// first that does not exist. Those of accounts that this store does not have are left
// out: nobody there can call.
func uniqueIDs(tx *control.Tx, names []string) (ids map[string]string, missing string, err error) {
	ids = map[string]string{}
	for _, name := range names {
		known, e, err := principal(tx, name)
		switch {
		case err != nil:
			return nil, "", err
		case e != nil:
			ids[name] = e.ID
		case known:
			return nil, name, nil
		}
	}
	return ids, "", nil
}

// UniqueIDs gives the unique ids of users and roles, of any account, by their ARNs.
// One that does not exist is an error of kind fault.NotFound with its ARN as text;
// those of accounts that this store does not have are left out.
func (s *Service) UniqueIDs(ctx context.Context, names []string) (
	ids map[string]string, err error,
) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		missing := ""
		ids, missing, err = uniqueIDs(tx, names)
		if err == nil && missing != "" {
			err = fault.New(fault.NotFound, "%s", missing)
		}
		return err
	})
	return ids, err
}

// PresentNames gives the text of a policy with the ARNs that those have now whom
// [Service.UniqueIDs] found: of who was renamed the new one, of who was deleted the
// unique id.
func (s *Service) PresentNames(ctx context.Context, text string, ids map[string]string) (
	out string, err error,
) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		out, err = presentNames(tx, text, ids)
		return err
	})
	return out, err
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

// shownTrust is the trust policy as answers show it.
func (e *entity) shownTrust(tx *control.Tx) (string, error) {
	text, err := presentNames(tx, e.Role.Trust, e.Role.Principals)
	return encoded(text), err
}

func presentNames(tx *control.Tx, text string, ids map[string]string) (string, error) {
	for name, id := range ids {
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
	return text, nil
}
