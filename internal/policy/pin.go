package policy

import (
	"slices"
	"strings"
)

// PrincipalARNs lists the ARNs of users and roles in the Principal and NotPrincipal
// elements, each once and sorted.
func (d *Document) PrincipalARNs() []string {
	var list []string
	for i := range d.statements {
		for _, n := range d.statements[i].principals {
			if n.kind == nameARN && strings.Contains(n.text, ":iam::") {
				list = append(list, n.text)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Pin gives the document with unique ids (AIDA…, AROA…) in place of the ARNs of
// principals that ids names. So AWS keeps a policy: who is made anew under the ARN
// of one who was deleted is another.
//
// Source: IAM User Guide, "AWS JSON policy elements: Principal".
func (d *Document) Pin(ids map[string]string) *Document {
	if len(ids) == 0 {
		return d
	}
	pinned := *d
	pinned.statements = slices.Clone(d.statements)
	for i := range pinned.statements {
		s := &pinned.statements[i]
		s.principals = slices.Clone(s.principals)
		for j, n := range s.principals {
			if id, ok := ids[n.text]; ok && n.kind == nameARN {
				s.principals[j] = principalName{nameUniqueID, id}
			}
		}
	}
	return &pinned
}
