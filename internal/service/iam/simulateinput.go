package iam

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/policy"
)

// simulatedAction is service:Operation, without wildcards.
var simulatedAction = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9_-]+$`)

// simulationInput is what both operations are given.
type simulationInput struct {
	actions, resources, policies, boundary []string
	caller, owner, resourcePolicy          string
	entries                                []api.ContextEntry
	levels                                 []api.OrderedOrganizationPolicyType
}

// fingerprint binds markers to what was asked.
func fingerprint(asked ...any) string {
	h := sha256.New()
	for _, a := range asked {
		if in, ok := a.(*simulationInput); ok {
			a = []any{in.actions, in.resources, in.policies, in.boundary, in.caller, in.owner,
				in.resourcePolicy, in.entries, in.levels}
		}
		b, err := json.Marshal(a)
		if err != nil { // texts and lists of texts have JSON
			b = fmt.Append(nil, a)
		}
		h.Write(b)
	}
	return string(h.Sum(nil))
}

// read completes a simulation whose principal and own policies are set.
func (in *simulationInput) read(r *request, sim *simulation) error {
	sim.actions, sim.resources = in.actions, in.resources
	var err error
	if sim.open.Document, err = r.s.documents.of(openPolicy, policy.Resource); err != nil {
		return err
	}
	for _, a := range in.actions {
		if !simulatedAction.MatchString(a) {
			return badInput("Invalid action name: %s. It must be service:Operation.", a)
		}
	}
	if err := in.targets(sim); err != nil {
		return err
	}
	if err := in.callerOf(sim); err != nil {
		return err
	}
	if err := in.ownerOf(r, sim); err != nil {
		return err
	}
	if err := in.documents(r, sim); err != nil {
		return err
	}
	sim.values = in.longest()
	return contextEntries(in.entries, &sim.base.Context)
}

// longest bounds the bytes of a request that patterns are compared with: those of an
// action and a resource, and of all values.
func (in *simulationInput) longest() (n int) {
	for _, name := range in.actions {
		n = max(n, len(name))
	}
	resource := 1
	for _, name := range in.resources {
		resource = max(resource, len(name))
	}
	n += resource
	for _, e := range in.entries {
		for _, v := range e.ContextKeyValues {
			n += 1 + len(v)
		}
	}
	return n
}

func (in *simulationInput) targets(sim *simulation) error {
	for _, name := range in.resources {
		if _, err := arn.Parse(name); name != "*" && err != nil {
			return badInput("Invalid resource ARN: %s.", name)
		}
	}
	sim.byName = len(in.resources) > 0 && !slices.Equal(in.resources, []string{"*"})
	if len(in.resources) == 0 {
		sim.resources = []string{"*"}
	}
	if len(sim.actions) == 0 {
		return badInput("ActionNames must name an action.")
	}
	if len(sim.actions) > maxSimulated/len(sim.resources) {
		return badInput("Cannot simulate more than %d actions on resources.", maxSimulated)
	}
	return nil
}

// callerOf sets who calls, which can be a user only.
func (in *simulationInput) callerOf(sim *simulation) error {
	if in.caller == "" {
		return nil
	}
	a, err := arn.Parse(in.caller)
	if err != nil || a.Service != "iam" || !account12(a.Account) ||
		!strings.HasPrefix(a.Resource, "user/") {
		return badInput("Invalid CallerArn: %s. It must be the ARN of an IAM user.", in.caller)
	}
	p := simulatedUser(a.Account, a.Resource[strings.LastIndexByte(a.Resource, '/')+1:])
	p.ARN = in.caller
	if sim.base.Principal.ARN != in.caller {
		sim.base.Principal = p
	}
	sim.base.Keys = policy.GivenFirst
	return nil
}

// ownerOf sets who owns resources whose ARN does not say.
func (in *simulationInput) ownerOf(r *request, sim *simulation) error {
	sim.base.ResourceAccount = sim.base.Principal.Account
	if in.owner == "" {
		return nil
	}
	a, err := arn.Parse(in.owner)
	if err != nil || !account12(a.Account) {
		return badInput("Invalid ResourceOwner: %s. It must be the ARN of an account.", in.owner)
	}
	sim.base.ResourceAccount = a.Account
	return nil
}

func account12(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// ownerIn is the account in a resource's ARN.
func ownerIn(resource string) string {
	if a, err := arn.Parse(resource); err == nil && account12(a.Account) {
		return a.Account
	}
	return ""
}

// documents parses the policies that are given. A boundary that is given takes
// the place of the principal's.
func (in *simulationInput) documents(r *request, sim *simulation) error {
	given, err := r.given("PolicyInputList", in.policies, policy.Identity)
	if err != nil {
		return err
	}
	sim.base.Identity = append(slices.Clip(sim.base.Identity), given...)
	if len(in.boundary) > 1 {
		return badInput("A simulation has one permissions boundary.")
	}
	boundary, err := r.given("PermissionsBoundaryPolicyInputList", in.boundary, policy.Identity)
	if err != nil {
		return err
	}
	if len(boundary) == 1 {
		sim.base.Boundary = boundary[0]
	}
	if in.resourcePolicy != "" {
		list, err := r.given("ResourcePolicy", []string{in.resourcePolicy}, policy.Resource)
		if err != nil {
			return err
		}
		sim.base.ResourcePolicy = policy.Policy{Name: "ResourcePolicy", Document: list[0].Document}
	}
	for i, level := range in.levels {
		list, err := r.given(fmt.Sprintf("OrderedOrganizationPolicyInputList.%d", i+1),
			level.ServiceControlPolicyInputList, policy.Identity)
		if err != nil {
			return err
		}
		sim.levels = append(sim.levels, list)
	}
	return nil
}

// given parses the documents of one parameter.
func (r *request) given(parameter string, texts []string, use policy.Use) (
	list []policy.Policy, err error,
) {
	for i, text := range texts {
		doc, err := policy.Parse([]byte(text), use)
		if err != nil {
			return nil, badInput("Invalid policy %s.%d: %s", parameter, i+1, clientText(err))
		}
		list = append(list, policy.Policy{Name: fmt.Sprintf("%s.%d", parameter, i+1),
			Document: doc})
	}
	return list, nil
}

// contextEntries adds the keys that are given; bytes come in base64.
func contextEntries(entries []api.ContextEntry, c *policy.Context) error {
	for _, e := range entries {
		if e.ContextKeyName == "" || len(c.Get(e.ContextKeyName)) > 0 {
			return badInput("ContextEntries must name each key once.")
		}
		for _, v := range e.ContextKeyValues {
			if strings.HasPrefix(e.ContextKeyType, "binary") {
				b, err := base64.StdEncoding.DecodeString(v)
				if err != nil {
					return badInput("Invalid value of %s: it must be base64.", e.ContextKeyName)
				}
				v = string(b)
			}
			c.Add(e.ContextKeyName, v)
		}
	}
	return nil
}

// simulatedUser is a user that may not exist.
func simulatedUser(account, name string) policy.Principal {
	return policy.Principal{Kind: policy.User, Account: account, Name: name,
		ARN: entityARN(account, userKind, "/", name)}
}

// source finds the user, group or role whose policies are meant.
func (r *request) source(name string) (*entity, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" {
		return nil, badInput("Invalid PolicySourceArn: %s.", name)
	}
	for _, k := range []kind{userKind, groupKind, roleKind} {
		rest, ok := strings.CutPrefix(a.Resource, kinds[k].part+"/")
		if !ok {
			continue
		}
		short := rest[strings.LastIndexByte(rest, '/')+1:]
		if a.Account != r.account() {
			return nil, noEntity(k, short)
		}
		e, err := r.find(k, short)
		if err == nil && e.arn() != name { // Access decided on the ARN, with its path
			err = noEntity(k, short)
		}
		return e, err
	}
	return nil, badInput("Invalid PolicySourceArn: %s. It must be a user, group or role.", name)
}

// have sets the principal and the policies of an entity, without the excluded.
func (r *request) have(e *entity, without []api.PolicyIdentifier, to *policy.Request) error {
	switch e.Kind {
	case userKind:
		to.Principal = simulatedUser(e.Account, e.Name)
		to.Principal.ARN, to.Principal.UserID = e.arn(), e.ID
	case roleKind:
		session := arn.New("sts", "", e.Account, "assumed-role/"+e.Name+"/simulation")
		to.Principal = policy.Principal{Kind: policy.AssumedRole, Account: e.Account,
			ARN: session.String(), Issuer: e.arn()}
	default: // somebody of the group
		to.Principal, to.Keys = simulatedUser(e.Account, "simulation"), policy.GivenOnly
	}
	set := Policies{}
	var err error
	if e.Kind == groupKind {
		set.Identity, err = r.s.ownPolicies(r.tx, e)
	} else {
		set, err = r.s.policiesOf(r.tx, e)
	}
	if err != nil {
		return err
	}
	for _, p := range set.Identity {
		if !slices.ContainsFunc(without, func(x api.PolicyIdentifier) bool {
			return excludes(&x, p.Name)
		}) {
			to.Identity = append(to.Identity, p)
		}
	}
	to.Boundary = set.Boundary
	if slices.ContainsFunc(without, func(x api.PolicyIdentifier) bool {
		return x.PolicyType == "permission-boundary"
	}) {
		to.Boundary = policy.Policy{}
	}
	return nil
}

// tagged adds the tags of an entity where no entry gave another value.
func (e *entity) tagged(c *policy.Context) {
	for key, value := range e.tagMap() {
		if name := "aws:PrincipalTag/" + key; len(c.Get(name)) == 0 {
			c.Add(name, value)
		}
	}
}

// excludes reports whether x names a policy, which goes by its ARN, or an inline
// one by its owner's kind, its owner and its name.
func excludes(x *api.PolicyIdentifier, name string) bool {
	managed := strings.HasPrefix(name, "arn:")
	ofAWS := strings.HasPrefix(name, "arn:aws:iam::"+ownedByAWS+":")
	switch i := x.InlinePolicyIdentifier; {
	case i != nil:
		return name == i.AttachmentType+"/"+i.AttachmentName+"/"+i.PolicyName
	case x.PolicyArn != "":
		return name == x.PolicyArn
	case x.PolicyType == "inline":
		return !managed
	case x.PolicyType == "aws-managed":
		return ofAWS
	case x.PolicyType == "user-managed":
		return managed && !ofAWS
	}
	return false
}

// GetContextKeysForCustomPolicy lists the condition keys and variables of policies.
func (s *Service) GetContextKeysForCustomPolicy(
	ctx context.Context, in *api.GetContextKeysForCustomPolicyInput,
) (*api.GetContextKeysForPolicyResponse, error) {
	out := &api.GetContextKeysForPolicyResponse{}
	return out, s.view(ctx, func(r *request) error {
		list, err := r.given("PolicyInputList", in.PolicyInputList, policy.Identity)
		out.ContextKeyNames = contextKeys(list)
		return err
	})
}

// GetContextKeysForPrincipalPolicy lists those of the policies of a user, group or
// role, and of policies that are given.
func (s *Service) GetContextKeysForPrincipalPolicy(
	ctx context.Context, in *api.GetContextKeysForPrincipalPolicyInput,
) (*api.GetContextKeysForPolicyResponse, error) {
	out := &api.GetContextKeysForPolicyResponse{}
	return out, s.view(ctx, func(r *request) error {
		e, err := r.source(in.PolicySourceArn)
		if err != nil {
			return err
		}
		var base policy.Request
		if err := r.have(e, nil, &base); err != nil {
			return err
		}
		list, err := r.given("PolicyInputList", in.PolicyInputList, policy.Identity)
		if err != nil {
			return err
		}
		out.ContextKeyNames = contextKeys(append(slices.Clip(base.Identity), list...))
		return nil
	})
}

func contextKeys(list []policy.Policy) []string {
	documents := make([]*policy.Document, 0, len(list))
	for _, p := range list {
		documents = append(documents, p.Document)
	}
	return append([]string{}, policy.ContextKeys(documents...)...)
}
