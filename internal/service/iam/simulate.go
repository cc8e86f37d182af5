package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/policy"
)

// maxSimulated bounds the pairs of action and resource of one simulation. AWS
// documents no bound.
const maxSimulated = 100_000

// simulation is a request of either operation, read.
type simulation struct {
	actions, resources []string
	byName             bool // resources were named, and not every one meant
	values             int  // bytes that patterns are compared with, at most
	base               policy.Request
	levels             [][]policy.Policy // service control policies, from the root down
	// open lets everyone in. It stands for the policy of another account's resource
	// where none is given: the simulation is then about the caller's side alone.
	open policy.Policy
}

// openPolicy is the text of simulation.open.
const openPolicy = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`

// SimulateCustomPolicy decides requests by policies that are given, and changes
// nothing. What AWS leaves to a CallerArn that is missing, such as the user's name,
// has no value.
func (s *Service) SimulateCustomPolicy(ctx context.Context, in *api.SimulateCustomPolicyInput) (
	out *api.SimulatePolicyResponse, err error,
) {
	sim := &simulation{base: policy.Request{Keys: policy.GivenOnly}}
	input := &simulationInput{
		actions: in.ActionNames, resources: in.ResourceArns, caller: in.CallerArn,
		owner: in.ResourceOwner, policies: in.PolicyInputList,
		boundary: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy,
		entries: in.ContextEntries, levels: in.OrderedOrganizationPolicyInputList,
	}
	err = s.view(ctx, func(r *request) error {
		if in.ResourcePolicy != "" && in.CallerArn == "" {
			return badInput("CallerArn is required if a ResourcePolicy is included.")
		}
		sim.base.Principal = simulatedUser(r.account(), "simulation")
		if err := input.read(r, sim); err != nil {
			return err
		}
		p := paging{in.Marker, in.MaxItems, []string{"simulate-custom", r.account(),
			fingerprint(input)}}
		res, truncated, next, err := sim.run(r, p)
		out = &api.SimulatePolicyResponse{EvaluationResults: res, IsTruncated: truncated,
			Marker: next}
		return err
	})
	return out, err
}

// SimulatePrincipalPolicy decides requests by the policies of a user, group or
// role, with those that are given beside them, and changes nothing.
func (s *Service) SimulatePrincipalPolicy(
	ctx context.Context, in *api.SimulatePrincipalPolicyInput,
) (out *api.SimulatePolicyResponse, err error) {
	sim := &simulation{base: policy.Request{Keys: policy.GivenFirst}}
	input := &simulationInput{
		actions: in.ActionNames, resources: in.ResourceArns, caller: in.CallerArn,
		owner: in.ResourceOwner, policies: in.PolicyInputList,
		boundary: in.PermissionsBoundaryPolicyInputList, resourcePolicy: in.ResourcePolicy,
		entries: in.ContextEntries,
	}
	err = s.view(ctx, func(r *request) error {
		e, err := r.source(in.PolicySourceArn)
		if err != nil {
			return err
		}
		if in.ResourcePolicy != "" && in.CallerArn == "" && e.Kind != userKind {
			return badInput("CallerArn is required if a ResourcePolicy is included and the " +
				"PolicySourceArn is not the ARN of a user.")
		}
		if err := r.have(e, in.PolicyExclusionList, &sim.base); err != nil {
			return err
		}
		if err := input.read(r, sim); err != nil {
			return err
		}
		e.tagged(&sim.base.Context)
		p := paging{in.Marker, in.MaxItems, []string{"simulate-principal", r.account(), e.ID,
			fingerprint(input, in.PolicyExclusionList)}}
		res, truncated, next, err := sim.run(r, p)
		out = &api.SimulatePolicyResponse{EvaluationResults: res, IsTruncated: truncated,
			Marker: next}
		return err
	})
	return out, err
}

const (
	// maxEvaluated bounds the statements that are looked at for one page, and so what
	// one page holds. The API may answer fewer than MaxItems.
	maxEvaluated = 100_000
	// perStatement is how many pairs of a byte of a policy and a byte of a value take
	// about the time of a statement, where wildcards have to try them all.
	perStatement = 4096
)

// weight is what each decision looks at, in statements.
func (sim *simulation) weight() int {
	statements, size := 1, 0
	list := append(slices.Concat(sim.levels...), sim.base.Identity...)
	for _, p := range append(list, sim.base.Boundary, sim.base.ResourcePolicy) {
		if p.Document != nil {
			statements += p.Document.Statements()
			size += p.Document.Size()
		}
	}
	return statements + size*sim.values/perStatement
}

// run decides the pairs of one page, each action with every resource.
func (sim *simulation) run(r *request, p paging) (
	results []api.EvaluationResult, truncated *bool, next string, err error,
) {
	weight := sim.weight()
	if weight > maxEvaluated {
		return nil, nil, "", badInput("The policies and the values of context keys are too " +
			"large to be simulated together.")
	}
	p.max = new(min(wire.Or(p.max, defaultItems), int32(maxEvaluated/weight)))
	pairs := make([]int, len(sim.actions)*len(sim.resources))
	for i := range pairs {
		pairs[i] = i
	}
	part, truncated, next, err := page(r.tx, p, pairs, func(i int) string {
		return fmt.Sprintf("%08d", i)
	})
	if err != nil {
		return nil, nil, "", err
	}
	results = make([]api.EvaluationResult, 0, len(part))
	for _, i := range part {
		action, resource := sim.actions[i/len(sim.resources)], sim.resources[i%len(sim.resources)]
		results = append(results, sim.evaluate(action, resource))
	}
	return results, truncated, next, nil
}

// evaluate decides one action on one resource.
func (sim *simulation) evaluate(action, resource string) api.EvaluationResult {
	r := sim.base
	r.Action, r.Resource = action, resource
	r.RootOfTrust = r.ResourcePolicy.Document != nil && (strings.HasPrefix(action, "kms:") ||
		strings.HasPrefix(action, "sts:AssumeRole"))
	if owner := ownerIn(resource); owner != "" {
		r.ResourceAccount = owner
	}
	across := r.ResourceAccount != r.Principal.Account
	if across && r.ResourcePolicy.Document == nil {
		r.ResourcePolicy, across = sim.open, false
	}
	s := policy.Simulate(r)
	out := api.EvaluationResult{
		EvalActionName: action, EvalResourceName: resource, EvalDecision: decisionName(&s),
		MatchedStatements:    matched(s.Matches),
		MissingContextValues: append([]string{}, s.Missing...),
	}
	if r.Boundary.Document != nil {
		out.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{
			AllowedByPermissionsBoundary: new(s.Boundary == policy.Allow)}
	}
	sim.control(&r, &out)
	if !sim.byName {
		return out
	}
	out.EvalDecisionDetails = map[string]string{}
	if across {
		out.EvalDecisionDetails = map[string]string{
			"IAM Policy": outcomes[s.Identity], "Resource Policy": outcomes[s.Resource],
		}
	}
	out.ResourceSpecificResults = []api.ResourceSpecificResult{{
		EvalResourceName: resource, EvalResourceDecision: out.EvalDecision,
		EvalDecisionDetails: out.EvalDecisionDetails, MatchedStatements: out.MatchedStatements,
		MissingContextValues:              out.MissingContextValues,
		PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
	}}
	out.MissingContextValues = []string{}
	return out
}

// control lets the service control policies of every level limit the decision.
func (sim *simulation) control(r *policy.Request, out *api.EvaluationResult) {
	if len(sim.levels) == 0 {
		return
	}
	worst := policy.Allow
	for _, level := range sim.levels {
		one := *r
		one.Identity, one.Session = level, nil
		one.Boundary, one.ResourcePolicy = policy.Policy{}, policy.Policy{}
		s := policy.Simulate(one)
		if s.Identity == policy.ExplicitDeny || worst == policy.Allow {
			worst = s.Identity
		}
		if s.Identity == policy.ExplicitDeny {
			out.MatchedStatements = matched(s.Matches)
			break
		}
	}
	out.OrganizationsDecisionDetail = &api.OrganizationsDecisionDetail{
		AllowedByOrganizations: new(worst == policy.Allow)}
	if worst != policy.Allow && out.EvalDecision != outcomes[policy.ExplicitDeny] {
		if out.EvalDecision = outcomes[worst]; worst == policy.ImplicitDeny {
			out.MatchedStatements = []api.Statement{}
		}
	}
}

// outcomes are the model's names.
var outcomes = map[policy.Outcome]string{
	policy.ImplicitDeny: "implicitDeny", policy.ExplicitDeny: "explicitDeny",
	policy.Allow: "allowed",
}

func decisionName(s *policy.Simulation) string {
	switch {
	case s.Allowed:
		return outcomes[policy.Allow]
	case s.ExplicitDeny():
		return outcomes[policy.ExplicitDeny]
	}
	return outcomes[policy.ImplicitDeny]
}

// sources are the types that AWS answers, which are not those of its model.
var sources = map[policy.SourceKind]string{
	policy.FromIdentity: "IAM Policy", policy.FromResource: "Resource Policy",
	policy.FromBoundary: "Permissions Boundary Policy",
}

func matched(list []policy.Match) []api.Statement {
	out := make([]api.Statement, 0, len(list))
	for _, m := range list {
		if m.Name == "" { // nobody gave it
			continue
		}
		out = append(out, api.Statement{
			SourcePolicyId: sourceID(m.Name), SourcePolicyType: sources[m.Kind],
			StartPosition: place(m.Start), EndPosition: place(m.End),
		})
	}
	return out
}

func place(p policy.Position) *api.Position {
	return &api.Position{Line: new(int32(p.Line)), Column: new(int32(p.Column))}
}

// sourceID is how AWS names a policy: user_NAME_POLICY an inline one, by its name a
// managed one, and by its place one that was given.
func sourceID(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name[strings.LastIndexByte(name, '/')+1:]
	}
	return strings.ReplaceAll(name, "/", "_")
}
