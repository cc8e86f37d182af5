package gateway

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"coffer/internal/audit"
)

// all lists the events of a call and of the calls it made, each followed by the
// copies that the owners of what it touched get.
func (t *trail) all() (list []*audit.Event) {
	for _, e := range t.events {
		list = append(list, e)
		if !t.denied[e] { // who was kept out has told the owner nothing
			list = append(list, copies(e)...)
		}
	}
	return list
}

// copies gives the event to the other accounts whose resources it names. They see
// of who asked only the account and the principal's id, and nothing of its
// policies; what a service did by itself they see as such. The events of one call
// have one shared id.
//
// Source: CloudTrail User Guide, record contents, sharedEventID; KMS Developer
// Guide, "Logging AWS KMS API calls"; acceptance CT-05
func copies(e *audit.Event) (list []*audit.Event) {
	done := []string{e.RecipientAccountID}
	for _, r := range e.Resources {
		if slices.Contains(done, r.AccountID) || !account(r.AccountID) {
			continue
		}
		done = append(done, r.AccountID)
		if e.SharedEventID == "" {
			e.SharedEventID = uuid.NewString()
		}
		c := *e
		c.EventID, c.RecipientAccountID = uuid.NewString(), r.AccountID
		c.AdditionalEventData = maps.Clone(e.AdditionalEventData)
		delete(c.AdditionalEventData, authorization)
		if id := &e.UserIdentity; id.Type != "AWSService" {
			c.UserIdentity = audit.Identity{Type: "AWSAccount", PrincipalID: id.PrincipalID,
				AccountID: id.AccountID, InvokedBy: id.InvokedBy}
		}
		list = append(list, &c)
	}
	return list
}

// account tells numbers of accounts from "aws", whose the managed policies are.
func account(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(s) == 12
}
