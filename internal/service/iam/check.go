package iam

import (
	"encoding/json"
	"fmt"
	"slices"

	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/store"
)

// A Check reads the rows of a stopped store: each by itself as it comes, and at the
// end what they say of each other. It changes nothing.
type Check struct {
	macs     macs
	entities map[string]*entity // by store key
	names    map[string]string  // unique ids by store key
	links    map[string]bool    // store keys
	keys     map[string]*keyRow // by store key
	devices  []*device
	problems []error
}

// NewCheck begins a check; m makes the digests of the store.
func NewCheck(m macs) *Check {
	return &Check{
		macs: m, entities: map[string]*entity{}, names: map[string]string{},
		links: map[string]bool{}, keys: map[string]*keyRow{},
	}
}

// Row takes a row of any table; those of other services are left alone. The error
// says what is wrong with the row.
func (c *Check) Row(t control.Table, id, value []byte) (err error) {
	switch t {
	case control.TableIAM:
		if len(id) < 18 {
			return fmt.Errorf("%w: key of an IAM entity", store.ErrDamaged)
		}
		e, err := parseEntity(kind(id[16]), value)
		if err == nil {
			err = e.whole()
		}
		if err != nil {
			return err
		}
		c.entities[string(id)] = e
	case control.TableIAMName:
		c.names[string(id)] = string(value)
	case control.TableIAMLink:
		c.links[string(id)] = true
	case control.TableAccessKey:
		row, err := parseKey(value)
		if err != nil {
			return err
		}
		c.keys[string(id)] = row
	case control.TableIAMUse:
		err = json.Unmarshal(value, &use{})
	case control.TableIAMTask:
		_, err = parseDeletion(value)
	case control.TableAccount:
		err = json.Unmarshal(value, &accountRow{})
	case control.TableMFA:
		d, err := parseDevice(value)
		if err != nil {
			return err
		}
		c.devices = append(c.devices, d)
	}
	return err
}

// whole reports what makes an entity useless by itself: a document that cannot be
// read would refuse all requests of who has it.
func (e *entity) whole() error {
	for _, p := range e.Inline {
		if _, err := policy.Parse([]byte(p.Document), policy.Identity); err != nil {
			return fmt.Errorf("policy %s of %s %s: %w", p.Name, kinds[e.Kind].noun, e.ID, err)
		}
	}
	switch e.Kind {
	case roleKind:
		if _, err := policy.Parse([]byte(e.Role.Trust), policy.Trust); err != nil {
			return fmt.Errorf("trust policy of role %s: %w", e.ID, err)
		}
	case policyKind:
		for _, v := range e.Policy.Versions {
			if _, err := policy.Parse([]byte(v.Document), policy.Identity); err != nil {
				return fmt.Errorf("version %s of policy %s: %w", v.ID, e.ID, err)
			}
		}
		if e.version(e.Policy.Default) == nil {
			return fmt.Errorf("policy %s has no default version", e.ID)
		}
	}
	return nil
}

// Relations tells, when all rows were taken, what does not fit together.
func (c *Check) Relations() []error {
	named := 0
	for key, e := range c.entities {
		if key != string(entityKey(c.macs, e.Account, e.Kind, e.ID)) {
			c.report(e, "stands in another's place")
			continue
		}
		if c.names[string(nameKey(c.macs, e.Account, e.Kind, e.Name))] == e.ID {
			named++
		} else {
			c.report(e, "is not found by its name")
		}
		c.policies(e)
		switch e.Kind {
		case userKind:
			c.user(e)
		case profileKind:
			if r := e.Profile.Role; r != "" && c.entity(e.Account, roleKind, r) == nil {
				c.report(e, "has a role that is not there")
			}
		}
	}
	if n := len(c.names) - named; n > 0 {
		c.problems = append(c.problems, fmt.Errorf("%w: %d names of IAM are of nothing",
			store.ErrDamaged, n))
	}
	if n := len(c.links); n > 0 { // the others were taken off
		c.problems = append(c.problems, fmt.Errorf("%w: %d attachments of IAM are of nothing",
			store.ErrDamaged, n))
	}
	c.accessKeys()
	for _, d := range c.devices {
		if d.Holder != "" && d.Holder != devicesOfRoot &&
			c.entity(d.Account, userKind, d.Holder) == nil {
			c.problems = append(c.problems, fmt.Errorf("%w: MFA device %s is of no user",
				store.ErrDamaged, d.Name))
		}
	}
	return c.problems
}

func (c *Check) report(e *entity, format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("%w: %s %s %s", store.ErrDamaged,
		kinds[e.Kind].noun, e.ID, fmt.Sprintf(format, args...)))
}

func (c *Check) entity(account string, k kind, id string) *entity {
	return c.entities[string(entityKey(c.macs, account, k, id))]
}

// take takes a link off, which must be there.
func (c *Check) take(e *entity, key []byte, what string) {
	if !c.links[string(key)] {
		c.report(e, "is not listed by %s", what)
	}
	delete(c.links, string(key))
}

// policies looks at what is attached to an entity.
func (c *Check) policies(e *entity) {
	for _, name := range e.Attached {
		c.take(e, e.linkKey(c.macs, asPermissions, name), name)
		c.exists(e, name)
	}
	if e.Boundary != "" {
		c.take(e, e.linkKey(c.macs, asBoundary, e.Boundary), e.Boundary)
		c.exists(e, e.Boundary)
	}
}

func (c *Check) exists(e *entity, name string) {
	if awsManaged(name) != nil {
		return
	}
	id := c.names[string(nameKey(c.macs, e.Account, policyKind, policyName(name)))]
	if p := c.entity(e.Account, policyKind, id); p == nil || p.arn() != name {
		c.report(e, "has policy %s, which is not there", name)
	}
}

// user looks at the groups and access keys of a user.
func (c *Check) user(e *entity) {
	for _, id := range e.User.Groups {
		g := c.entity(e.Account, groupKind, id)
		if g == nil {
			c.report(e, "is in group %s, which is not there", id)
			continue
		}
		c.take(e, memberKey(c.macs, g, e.ID), "group "+id)
	}
	for _, id := range e.User.Keys {
		if k := c.keys[string(keyKey(c.macs, id))]; k == nil || k.User != e.ID {
			c.report(e, "has access key %s, which is not there", id)
		}
	}
}

// accessKeys looks for keys of users that do not know them: nobody could delete one.
func (c *Check) accessKeys() {
	for _, k := range c.keys {
		if k.User == "" {
			continue
		}
		e := c.entity(k.Account, userKind, k.User)
		if e == nil || !slices.Contains(e.User.Keys, k.ID) {
			c.problems = append(c.problems, fmt.Errorf("%w: access key %s is of no user",
				store.ErrDamaged, k.ID))
		}
	}
}
