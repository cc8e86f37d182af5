package iam

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/control"
	"coffer/internal/store"
)

// kind is what an entity is; its letter stands in store keys.
type kind byte

// The kinds.
const (
	userKind    kind = 'u'
	groupKind   kind = 'g'
	roleKind    kind = 'r'
	policyKind  kind = 'p'
	profileKind kind = 'i'
)

// kindFacts are what differs by kind in names, ids and texts.
type kindFacts struct {
	prefix string // of unique ids
	part   string // of ARNs
	title  string // at the beginning of a text
	noun   string // within a text
	quota  int    // of an account; AWS's default, or its maximum where that can be had
}

var kinds = map[kind]kindFacts{
	userKind:    {"AIDA", "user", "User", "user", 5000},
	groupKind:   {"AGPA", "group", "Group", "group", 500},
	roleKind:    {"AROA", "role", "Role", "role", 10000},
	policyKind:  {"ANPA", "policy", "Policy", "policy", 10000},
	profileKind: {"AIPA", "instance-profile", "Instance Profile", "instance profile", 10000},
}

// rowVersion is the version of rows that this package writes.
const rowVersion = 1

// entity is a row of control.TableIAM: MAC of the account (16), kind, unique id.
type entity struct {
	Version int       `json:"v"`
	Kind    kind      `json:"-"`
	Account string    `json:"account"`
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Created time.Time `json:"created"`
	Tags    []tag     `json:"tags,omitempty"` // in the order of their keys

	// Of users, groups and roles.
	Inline   []inline `json:"inline,omitempty"`   // in the order of their names
	Attached []string `json:"attached,omitempty"` // ARNs of managed policies
	Boundary string   `json:"boundary,omitempty"` // ARN of a managed policy

	User    *userPart    `json:"user,omitempty"`
	Role    *rolePart    `json:"role,omitempty"`
	Policy  *policyPart  `json:"policy,omitempty"`
	Profile *profilePart `json:"profile,omitempty"`
}

type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// inline is a policy that belongs to one user, group or role.
type inline struct {
	Name     string `json:"name"`
	Document string `json:"document"` // as it was put
}

func (e *entity) arn() string { return entityARN(e.Account, e.Kind, e.Path, e.Name) }

func entityARN(account string, k kind, path, name string) string {
	return arn.New("iam", "", account, kinds[k].part+path+name).String()
}

func entityPrefix(m macs, account string, k kind) []byte {
	return append(scope(m, account), byte(k))
}

func entityKey(m macs, account string, k kind, id string) []byte {
	return append(entityPrefix(m, account, k), id...)
}

// nameKey is a key of control.TableIAMName: MAC of the name without its case (16).
func nameKey(m macs, account string, k kind, name string) []byte {
	return m.MAC("iam/name", account, string(rune(k)), strings.ToLower(name))
}

// newID makes a unique id: a prefix by kind and 17 letters and digits.
func newID(prefix string) string { return prefix + rand.Text()[:17] }

// byID reads an entity; nil means that there is none.
func byID(tx *control.Tx, account string, k kind, id string) (*entity, error) {
	v, ok, err := tx.Get(control.TableIAM, entityKey(tx, account, k, id))
	if err != nil || !ok {
		return nil, err
	}
	return parseEntity(k, v)
}

func parseEntity(k kind, v []byte) (*entity, error) {
	e := &entity{}
	if err := json.Unmarshal(v, e); err != nil {
		return nil, fmt.Errorf("%w: IAM %s", store.ErrDamaged, kinds[k].noun)
	}
	e.Kind = k
	whole := map[kind]bool{
		userKind: e.User != nil, groupKind: true, roleKind: e.Role != nil,
		policyKind: e.Policy != nil, profileKind: e.Profile != nil,
	}
	if e.Version != rowVersion || !whole[k] {
		return nil, fmt.Errorf("%w: IAM %s %s", store.ErrDamaged, kinds[k].noun, e.ID)
	}
	return e, nil
}

// byName finds an entity; nil means that there is none.
func byName(tx *control.Tx, account string, k kind, name string) (*entity, error) {
	id, ok, err := tx.Get(control.TableIAMName, nameKey(tx, account, k, name))
	if err != nil || !ok {
		return nil, err
	}
	e, err := byID(tx, account, k, string(id))
	if err == nil && e == nil {
		err = fmt.Errorf("%w: name of an IAM %s without its row", store.ErrDamaged, kinds[k].noun)
	}
	return e, err
}

// find is byName for what a request names: a missing one is AWS's error.
func (r *request) find(k kind, name string) (*entity, error) {
	e, err := byName(r.tx, r.account(), k, name)
	if err == nil && e == nil {
		err = noEntity(k, name)
	}
	return e, err
}

// save writes an entity under the name it has.
func (e *entity) save(tx *control.Tx) error {
	e.Version = rowVersion
	return put(tx, control.TableIAM, entityKey(tx, e.Account, e.Kind, e.ID), e)
}

// create gives a new entity its id and its name, which must be free.
func (r *request) create(e *entity, tags []api.Tag) (err error) {
	e.Account, e.Path, e.Created = r.account(), cmp.Or(e.Path, "/"), r.tx.Time()
	if e.Tags, err = addTags(nil, tags); err != nil {
		return err
	}
	if err := r.free(e.Kind, e.Name); err != nil {
		return err
	}
	if err := r.room(e.Kind); err != nil {
		return err
	}
	e.ID = newID(kinds[e.Kind].prefix)
	r.tx.Put(control.TableIAMName, nameKey(r.tx, e.Account, e.Kind, e.Name), []byte(e.ID))
	return e.save(r.tx)
}

// free refuses a name that is taken.
func (r *request) free(k kind, name string) error {
	old, err := byName(r.tx, r.account(), k, name)
	if err == nil && old != nil {
		err = nameTaken(k, name)
	}
	return err
}

// room refuses one more of a kind than an account may have.
func (r *request) room(k kind) error {
	n, err := count(r.tx, control.TableIAM, entityPrefix(r.tx, r.account(), k))
	if err == nil && n >= kinds[k].quota {
		err = overQuota(plural[k]+"PerAccount", kinds[k].quota)
	}
	return err
}

// plural names kinds in the texts of quotas.
var plural = map[kind]string{
	userKind: "Users", groupKind: "Groups", roleKind: "Roles", policyKind: "Policies",
	profileKind: "InstanceProfiles",
}

func count(tx *control.Tx, t control.Table, prefix []byte) (n int, err error) {
	err = tx.Scan(t, prefix, func(_, _ []byte) error { n++; return nil })
	return n, err
}

// remove deletes an entity and its name.
func (e *entity) remove(tx *control.Tx) {
	tx.Delete(control.TableIAM, entityKey(tx, e.Account, e.Kind, e.ID))
	tx.Delete(control.TableIAMName, nameKey(tx, e.Account, e.Kind, e.Name))
}

// rename gives an entity another name and path; an empty one stays as it is.
func (r *request) rename(e *entity, name, path string) error {
	if name != "" && !strings.EqualFold(name, e.Name) {
		if err := r.free(e.Kind, name); err != nil {
			return err
		}
	}
	r.tx.Delete(control.TableIAMName, nameKey(r.tx, e.Account, e.Kind, e.Name))
	e.Name, e.Path = cmp.Or(name, e.Name), cmp.Or(path, e.Path)
	r.tx.Put(control.TableIAMName, nameKey(r.tx, e.Account, e.Kind, e.Name), []byte(e.ID))
	return e.save(r.tx)
}

// all lists the entities of a kind under a path, in the order of their names.
func all(tx *control.Tx, account string, k kind, path string) ([]*entity, error) {
	var list []*entity
	err := tx.Scan(control.TableIAM, entityPrefix(tx, account, k), func(_, v []byte) error {
		e, err := parseEntity(k, v)
		if err == nil && strings.HasPrefix(e.Path, path) {
			list = append(list, e)
		}
		return err
	})
	slices.SortFunc(list, func(a, b *entity) int { return cmp.Compare(a.order(), b.order()) })
	return list, err
}

// order is what listings are sorted by, and what their markers hold.
func (e *entity) order() string { return strings.ToLower(e.Name) }
