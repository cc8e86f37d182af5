package iam

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	api "coffer/internal/aws/api/iam"
)

const dynamo = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*",` +
	`"Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}`

func entry(key, kind string, values ...string) api.ContextEntry {
	return api.ContextEntry{ContextKeyName: key, ContextKeyType: kind, ContextKeyValues: values}
}

// TestSimulateExamples answers the examples of the AWS CLI's reference for
// simulate-custom-policy as it shows them, and one without the key.
func TestSimulateExamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		name, when, decision string
		matched, missing     int
	}{
		{"after the date", "2019-04-25T11:00:00Z", "allowed", 1, 0},
		{"before the date", "2014-04-25T11:00:00Z", "implicitDeny", 0, 0},
		{"without a date", "", "implicitDeny", 0, 1},
	} {
		in := &api.SimulateCustomPolicyInput{PolicyInputList: []string{dynamo},
			ActionNames: []string{"dynamodb:CreateBackup"}}
		if c.when != "" {
			in.ContextEntries = []api.ContextEntry{entry("aws:CurrentTime", "date", c.when)}
		}
		out, err := w.root(home).SimulateCustomPolicy(t.Context(), in)
		must(t, err)
		r := out.EvaluationResults[0]
		if len(out.EvaluationResults) != 1 || r.EvalDecision != c.decision ||
			r.EvalActionName != "dynamodb:CreateBackup" || r.EvalResourceName != "*" ||
			len(r.MatchedStatements) != c.matched || len(r.MissingContextValues) != c.missing {
			t.Errorf("%s: %+v", c.name, r)
		}
		if c.matched == 1 {
			m := r.MatchedStatements[0]
			if m.SourcePolicyId != "PolicyInputList.1" || *m.StartPosition.Line != 1 ||
				*m.StartPosition.Column != 38 || *m.EndPosition.Column != 167 {
				t.Errorf("%s: %+v", c.name, m)
			}
		}
	}
}

// simulated gives decision and sources of one action, on a resource if one is named.
func simulated(t *testing.T, out *api.SimulatePolicyResponse, err error) string {
	t.Helper()
	must(t, err)
	r := out.EvaluationResults[0]
	text := r.EvalDecision
	for _, m := range r.MatchedStatements {
		text += " " + m.SourcePolicyId
	}
	if d := r.PermissionsBoundaryDecisionDetail; d != nil {
		text += fmt.Sprintf(" boundary=%v", *d.AllowedByPermissionsBoundary)
	}
	if d := r.OrganizationsDecisionDetail; d != nil {
		text += fmt.Sprintf(" organization=%v", *d.AllowedByOrganizations)
	}
	if d := r.EvalDecisionDetails; len(d) > 0 {
		text += fmt.Sprintf(" %v", d)
	}
	return text
}

// TestSimulateCustomPolicy: boundary, resource policy, owner and service control
// policies limit and add as they would.
func TestSimulateCustomPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const bucket = "arn:aws:s3:::b/k"
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
		`"Action":"s3:GetObject","Resource":"` + bucket + `"}]}`
	caller := "arn:aws:iam::" + home + ":user/x"
	for _, c := range []struct {
		name string
		in   api.SimulateCustomPolicyInput
		want string
	}{
		{"identity", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:Get*"),
			allow("s3:*")}}, "allowed PolicyInputList.1 PolicyInputList.2"},
		{"denied", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:Get*"),
			deny("s3:*")}}, "explicitDeny PolicyInputList.2"},
		{"nothing", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("ec2:*")}},
			"implicitDeny"},
		{"boundary", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:*")},
			PermissionsBoundaryPolicyInputList: []string{allow("ec2:*")}},
			"implicitDeny boundary=false"},
		{"within boundary", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:*")},
			PermissionsBoundaryPolicyInputList: []string{allow("s3:*")}},
			"allowed PolicyInputList.1 boundary=true"},
		{"resource policy", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("ec2:*")},
			ResourcePolicy: open, CallerArn: caller}, "allowed ResourcePolicy"},
		{"another account's", api.SimulateCustomPolicyInput{PolicyInputList: []string{
			allow("ec2:*")}, ResourcePolicy: open, CallerArn: caller,
			ResourceOwner: "arn:aws:iam::444455556666:root"},
			"implicitDeny map[IAM Policy:implicitDeny Resource Policy:allowed]"},
		{"another account's without its policy", api.SimulateCustomPolicyInput{
			PolicyInputList: []string{allow("s3:*")}, CallerArn: caller,
			ResourceOwner: "arn:aws:iam::444455556666:root"}, "allowed PolicyInputList.1"},
		{"organization", api.SimulateCustomPolicyInput{PolicyInputList: []string{allow("s3:*")},
			OrderedOrganizationPolicyInputList: []api.OrderedOrganizationPolicyType{
				{ServiceControlPolicyInputList: []string{allowAll}},
				{ServiceControlPolicyInputList: []string{allow("ec2:*")}}}},
			"implicitDeny organization=false"},
		{"organization denies", api.SimulateCustomPolicyInput{
			PolicyInputList: []string{allow("s3:*")},
			OrderedOrganizationPolicyInputList: []api.OrderedOrganizationPolicyType{
				{ServiceControlPolicyInputList: []string{allowAll, deny("s3:*")}}}},
			"explicitDeny OrderedOrganizationPolicyInputList.1.2 organization=false"},
	} {
		c.in.ActionNames, c.in.ResourceArns = []string{"s3:GetObject"}, []string{bucket}
		out, err := w.root(home).SimulateCustomPolicy(t.Context(), &c.in)
		if got := simulated(t, out, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		r := out.EvaluationResults[0]
		if len(r.ResourceSpecificResults) != 1 ||
			r.ResourceSpecificResults[0].EvalResourceDecision != r.EvalDecision {
			t.Errorf("%s: %+v", c.name, r.ResourceSpecificResults)
		}
	}
}

// TestSimulatePrincipalPolicy simulates a user with a group and a boundary, and
// the same without some of its policies.
func TestSimulatePrincipalPolicy(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	c := w.root(home)
	w.user("alice")
	must(t, second(c.CreateGroup(ctx, &api.CreateGroupInput{GroupName: "g"})))
	must(t, second(c.AddUserToGroup(ctx, &api.AddUserToGroupInput{GroupName: "g",
		UserName: "alice"})))
	must(t, second(c.PutGroupPolicy(ctx, &api.PutGroupPolicyInput{GroupName: "g",
		PolicyName: "all", PolicyDocument: allow("s3:*")})))
	must(t, second(c.PutUserPolicy(ctx, &api.PutUserPolicyInput{UserName: "alice",
		PolicyName: "own", PolicyDocument: strings.Replace(allow("s3:Get*"), `"*"}`,
			`"arn:aws:s3:::${aws:username}-${aws:PrincipalTag/team}"}`, 1)})))
	must(t, second(c.TagUser(ctx, &api.TagUserInput{UserName: "alice",
		Tags: []api.Tag{{Key: "team", Value: "blue"}}})))
	inline := func(kind, owner, name string) []api.PolicyIdentifier {
		return []api.PolicyIdentifier{{InlinePolicyIdentifier: &api.InlinePolicyIdentifierType{
			AttachmentType: kind, AttachmentName: owner, PolicyName: name}}}
	}
	for _, k := range []struct {
		name, resource string
		without        []api.PolicyIdentifier
		more           []string
		want           string
	}{
		{"both", "arn:aws:s3:::alice-blue", nil, nil, "allowed user_alice_own group_g_all"},
		{"another bucket", "arn:aws:s3:::bob-blue", nil, nil, "allowed group_g_all"},
		{"without the group's", "arn:aws:s3:::bob-blue", inline("group", "g", "all"), nil,
			"implicitDeny"},
		{"without the own", "arn:aws:s3:::alice-blue", inline("user", "alice", "own"), nil,
			"allowed group_g_all"},
		{"without any", "arn:aws:s3:::alice-blue", []api.PolicyIdentifier{{PolicyType: "inline"}},
			nil, "implicitDeny"},
		{"with one more", "arn:aws:s3:::alice-blue", nil, []string{deny("s3:*")},
			"explicitDeny PolicyInputList.1"},
	} {
		out, err := c.SimulatePrincipalPolicy(ctx, &api.SimulatePrincipalPolicyInput{
			PolicySourceArn: "arn:aws:iam::" + home + ":user/alice", PolicyInputList: k.more,
			ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{k.resource},
			PolicyExclusionList: k.without})
		if got := simulated(t, out, err); got != k.want {
			t.Errorf("%s: %s, want %s", k.name, got, k.want)
		}
	}
	keys, err := c.GetContextKeysForPrincipalPolicy(ctx,
		&api.GetContextKeysForPrincipalPolicyInput{
			PolicySourceArn: "arn:aws:iam::" + home + ":user/alice",
			PolicyInputList: []string{dynamo}})
	if err != nil || !slices.Equal(keys.ContextKeyNames,
		[]string{"aws:username", "aws:PrincipalTag/team", "aws:CurrentTime"}) {
		t.Errorf("%+v, %v", keys, err)
	}
	_, err = c.SimulatePrincipalPolicy(ctx, &api.SimulatePrincipalPolicyInput{
		PolicySourceArn: "arn:aws:iam::" + home + ":user/none", ActionNames: []string{"s3:Get"}})
	want(t, err, "NoSuchEntity", "The user with name none cannot be found.")
	// Who may ask about a path asks about nobody else.
	for _, path := range []string{"ours/alice", "Alice"} {
		_, err = c.SimulatePrincipalPolicy(ctx, &api.SimulatePrincipalPolicyInput{
			PolicySourceArn: "arn:aws:iam::" + home + ":user/" + path,
			ActionNames:     []string{"s3:Get"}})
		want(t, err, "NoSuchEntity", "cannot be found.")
	}
}

// TestSimulatePages walks pages without gap or repeat, and binds markers.
func TestSimulatePages(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t)
	in := &api.SimulateCustomPolicyInput{PolicyInputList: []string{allowAll},
		ActionNames:  []string{"s3:GetObject", "s3:PutObject", "sqs:SendMessage"},
		ResourceArns: []string{"arn:aws:s3:::a", "arn:aws:s3:::b"}, MaxItems: new(int32(4))}
	var seen []string
	for {
		out, err := w.root(home).SimulateCustomPolicy(ctx, in)
		must(t, err)
		for _, r := range out.EvaluationResults {
			seen = append(seen, r.EvalActionName+r.EvalResourceName)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.Marker
	}
	if len(seen) != 6 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 6 {
		t.Errorf("%q", seen)
	}
	in.ActionNames[0] = "s3:GetBucketTagging"
	_, err := w.root(home).SimulateCustomPolicy(ctx, in)
	want(t, err, "", "Invalid Marker.")
}

// TestSimulateBounded: policies with many statements make pages shorter, not longer
// to decide.
func TestSimulateBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	in := &api.SimulateCustomPolicyInput{MaxItems: new(int32(1000)),
		PolicyInputList: []string{`{"Statement":[` + strings.Repeat(one+",", 1999) + one + `]}`},
		ActionNames:     slices.Repeat([]string{"s3:GetObject"}, 200)}
	out, err := w.root(home).SimulateCustomPolicy(t.Context(), in)
	must(t, err)
	n := len(out.EvaluationResults)
	if n < 20 || n > maxEvaluated/2001 || !*out.IsTruncated {
		t.Errorf("%d results", n)
	}
}

// TestSimulateHeavy: many wildcards for long values make pages shorter, and are refused
// where one decision would take seconds.
func TestSimulateHeavy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pattern := `"*` + strings.Repeat("?", 98) + `b"`
	doc := `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":` +
		`{"a:bcdef":[` + strings.Repeat(pattern+",", 99) + pattern + `]}}}}`
	in := &api.SimulateCustomPolicyInput{
		PolicyInputList: []string{doc}, ActionNames: slices.Repeat([]string{"s3:GetObject"}, 200),
		ContextEntries: []api.ContextEntry{entry("a:bcdef", "string", strings.Repeat("a", 9999))},
	}
	out, err := w.root(home).SimulateCustomPolicy(t.Context(), in)
	must(t, err)
	if n := len(out.EvaluationResults); n < 1 || n > 4 || !*out.IsTruncated {
		t.Errorf("%d results", n)
	}
	in.ContextEntries[0].ContextKeyValues[0] = strings.Repeat("a", 99999)
	_, err = w.root(home).SimulateCustomPolicy(t.Context(), in)
	want(t, err, "InvalidInput", "too large to be simulated together")
}

// TestSimulateWrong refuses what makes no simulation.
func TestSimulateWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := func() *api.SimulateCustomPolicyInput {
		return &api.SimulateCustomPolicyInput{PolicyInputList: []string{allowAll},
			ActionNames: []string{"s3:GetObject"}}
	}
	type input = *api.SimulateCustomPolicyInput
	for name, change := range map[string]func(input){
		"Invalid action name: s3:*":     func(in input) { in.ActionNames[0] = "s3:*" },
		"Invalid resource ARN: b":       func(in input) { in.ResourceArns = []string{"b"} },
		"PolicyInputList.1: Syntax err": func(in input) { in.PolicyInputList[0] = "{}" },
		"CallerArn is required":         func(in input) { in.ResourcePolicy = allowAll },
		"Invalid CallerArn":             func(in input) { in.CallerArn = "alice" },
		"Invalid ResourceOwner":         func(in input) { in.ResourceOwner = "x" },
		"each key once": func(in input) {
			in.ContextEntries = []api.ContextEntry{entry("aws:a", "string", "x"),
				entry("AWS:A", "string", "x")}
		},
		"must be base64": func(in input) {
			in.ContextEntries = []api.ContextEntry{entry("aws:a", "binary", "?")}
		},
		"Cannot simulate more than": func(in input) {
			in.ActionNames = slices.Repeat(in.ActionNames, 400)
			in.ResourceArns = slices.Repeat([]string{"arn:aws:s3:::b"}, 300)
		},
	} {
		in := good()
		change(in)
		_, err := w.root(home).SimulateCustomPolicy(t.Context(), in)
		want(t, err, "InvalidInput", name)
	}
}
