// Package iamsimulate plays random policies and requests to Coffer's evaluator and to
// @cloud-copilot/iam-simulate, an evaluator of IAM policies that others wrote and
// that runs here as a process of its own, and compares the decisions.
//
// It guarantees that a difference which no entry of the table in difference.go
// explains fails the test. An entry is no excuse by looks: it rewrites the case
// as the other evaluator understands it, and only if Coffer's evaluator then
// decides as the other did is the difference explained. DIFFERENCES.md gives
// the source of each. It does not compare reasons, nor what the other does not
// know: grants, several session policies, principals of identity providers.
//
// The cases follow from a seed. run.sh runs it, which make compat calls.
package iamsimulate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"coffer/internal/policy"
)

// scene is a request with everything that decides it.
type scene struct {
	who      policy.Principal
	action   string
	resource string
	owner    string
	now      time.Time
	context  map[string][]string // keys that do not follow from the request
	pairs    map[string]string   // encryption context

	identity []document
	boundary *document
	session  *document
	attached *document // the resource's own policy
	root     bool      // nothing but attached lets the owning account in
}

// document is a policy, statement one that still can be changed.
type document struct {
	version    string
	statements []statement
}

type statement struct {
	deny          bool
	principals    []name // none in identity policies
	notPrincipal  bool
	actions       []string
	notAction     bool
	resources     []string // none in the trust policy of a role
	notResource   bool
	conditions    []condition
	trustDocument bool
}

// name is one name of a Principal element.
type name struct{ kind, text string }

// condition is one key under one operator.
type condition struct {
	operator string // with qualifier and IfExists
	key      string
	values   []string
}

// base gives the operator without qualifier and IfExists.
func (c *condition) base() string {
	_, op, found := strings.Cut(c.operator, ":")
	if !found {
		op = c.operator
	}
	return strings.TrimSuffix(op, "IfExists")
}

func (c *condition) set() string {
	set, _, found := strings.Cut(c.operator, ":")
	if !found {
		return ""
	}
	return set
}

func (c *condition) ifExists() bool { return strings.HasSuffix(c.operator, "IfExists") }

func (c *condition) negated() bool { return strings.Contains(c.base(), "Not") }

// clone copies all that a rewriting may change.
func (s *scene) clone() *scene {
	c := *s
	c.context = maps.Clone(s.context)
	c.identity = nil
	for i := range s.identity {
		c.identity = append(c.identity, *s.identity[i].clone())
	}
	c.boundary, c.session = s.boundary.clone(), s.session.clone()
	c.attached = s.attached.clone()
	return &c
}

func (d *document) clone() *document {
	if d == nil {
		return nil
	}
	c := *d
	c.statements = slices.Clone(d.statements)
	for i := range c.statements {
		st := &c.statements[i]
		st.principals = slices.Clone(st.principals)
		st.actions = slices.Clone(st.actions)
		st.resources = slices.Clone(st.resources)
		st.conditions = slices.Clone(st.conditions)
		for j := range st.conditions {
			st.conditions[j].values = slices.Clone(st.conditions[j].values)
		}
	}
	return &c
}

// documents lists all documents of s.
func (s *scene) documents() []*document {
	var list []*document
	for i := range s.identity {
		list = append(list, &s.identity[i])
	}
	for _, d := range []*document{s.boundary, s.session, s.attached} {
		if d != nil {
			list = append(list, d)
		}
	}
	return list
}

// MarshalJSON writes the document of IAM's grammar.
func (d *document) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	if d.version != "" {
		out["Version"] = d.version
	}
	var list []any
	for i := range d.statements {
		list = append(list, d.statements[i].object())
	}
	out["Statement"] = list
	return json.Marshal(out)
}

func (st *statement) object() map[string]any {
	out := map[string]any{"Effect": "Allow"}
	if st.deny {
		out["Effect"] = "Deny"
	}
	out[not(st.notAction)+"Action"] = st.actions
	if len(st.resources) > 0 {
		out[not(st.notResource)+"Resource"] = st.resources
	}
	if len(st.principals) > 0 {
		kinds := map[string][]string{}
		for _, n := range st.principals {
			kinds[n.kind] = append(kinds[n.kind], n.text)
		}
		out[not(st.notPrincipal)+"Principal"] = kinds
	}
	if len(st.conditions) > 0 {
		block := map[string]map[string][]string{}
		for _, c := range st.conditions {
			if block[c.operator] == nil {
				block[c.operator] = map[string][]string{}
			}
			block[c.operator][c.key] = c.values
		}
		out["Condition"] = block
	}
	return out
}

func not(is bool) string {
	if is {
		return "Not"
	}
	return ""
}

// parse gives the document as Coffer reads it.
func (d *document) parse(name string, use policy.Use) (policy.Policy, error) {
	if d == nil {
		return policy.Policy{}, nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return policy.Policy{}, err
	}
	parsed, err := policy.Parse(text, use)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("parse %s: %w: %s", name, err, text)
	}
	return policy.Policy{Name: name, Document: parsed}, nil
}

// request gives the scene to Coffer's evaluator.
func (s *scene) request() (policy.Request, error) {
	r := policy.Request{Principal: s.who, Action: s.action, Resource: s.resource,
		ResourceAccount: s.owner, Time: s.now, RootOfTrust: s.root,
		EncryptionContext: s.pairs}
	for _, key := range slices.Sorted(maps.Keys(s.context)) {
		for _, v := range s.context[key] {
			r.Context.Add(key, raw(key, v))
		}
	}
	for i := range s.identity {
		p, err := s.identity[i].parse(fmt.Sprint("identity", i), policy.Identity)
		if err != nil {
			return r, err
		}
		r.Identity = append(r.Identity, p)
	}
	var err error
	if r.Boundary, err = s.boundary.parse("boundary", policy.Identity); err != nil {
		return r, err
	}
	if s.session != nil {
		p, err := s.session.parse("session", policy.Identity)
		if err != nil {
			return r, err
		}
		r.Session = []policy.Policy{p}
	}
	use := policy.Resource
	if s.attached != nil && s.attached.statements[0].trustDocument {
		use = policy.Trust
	}
	r.ResourcePolicy, err = s.attached.parse("resource", use)
	return r, err
}

// raw gives a value as Coffer holds it: of a key with binary values the bytes.
func raw(key, value string) string {
	if !strings.HasSuffix(key, "/bin") {
		return value
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return value
	}
	return string(b)
}

// decision is Allowed, ExplicitlyDenied or ImplicitlyDenied.
type decision string

const (
	allowed  decision = "Allowed"
	explicit decision = "ExplicitlyDenied"
	implicit decision = "ImplicitlyDenied"
)

// decide asks Coffer's evaluator.
func (s *scene) decide() (decision, policy.Decision, error) {
	r, err := s.request()
	if err != nil {
		return "", policy.Decision{}, err
	}
	d := policy.Evaluate(r)
	switch {
	case d.Reason == policy.DeniedRequest:
		return "", d, fmt.Errorf("%s", d.Explain())
	case d.Allowed:
		return allowed, d, nil
	case d.ExplicitDeny():
		return explicit, d, nil
	}
	return implicit, d, nil
}
