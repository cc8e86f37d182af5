package sts

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/policy"
)

const roleARN = "arn:aws:iam::" + home + ":role/r"

func aliceARN() string { return "arn:aws:iam::" + home + ":user/alice" }

// policySum makes text that does not compress.
func policySum(i int) [32]byte { return sha256.Sum256(fmt.Append(nil, i)) }

// TestTrust: the trust policy lets in, and the caller's own policies decide where it
// names the account or another account's principal.
func TestTrust(t *testing.T) {
	t.Parallel()
	bob := "arn:aws:iam::" + abroad + ":user/bob"
	for name, c := range map[string]struct {
		key, trusted, may string
		refusal           string
	}{
		"own name":                {"AKIAALICE", aliceARN(), "", ""},
		"account":                 {"AKIAALICE", home, "sts:AssumeRole", ""},
		"account alone":           {"AKIAALICE", home, "", "no identity-based policy allows"},
		"not trusted":             {"AKIAALICE", bob, "sts:*", "no role trust policy allows"},
		"other account":           {"AKIABOB", bob, "sts:AssumeRole", ""},
		"other account, only one": {"AKIABOB", bob, "", "no identity-based policy allows"},
		"other account, no trust": {"AKIABOB", home, "sts:*", "no role trust policy allows"},
		"everyone":                {"AKIABOB", "*", "sts:AssumeRole", ""},
		"root":                    {"AKIAROOT", home, "", "Roles may not be assumed by root"},
	} {
		w := newWorld(t)
		w.role(home, "r", trust(c.trusted, ""))
		if c.may != "" {
			w.may(c.key, c.may)
		}
		out, err := w.as(c.key).AssumeRole(t.Context(),
			&api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: "s1"})
		if c.refusal != "" {
			refused(t, err, "AccessDenied", c.refusal)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := w.whoami(w.with(out.Credentials)); got != out.AssumedRoleUser.Arn ||
			out.AssumedRoleUser.AssumedRoleId != "AROAR0000:s1" || out.PackedPolicySize != nil {
			t.Errorf("%s: %s, %+v", name, got, out)
		}
	}
}

// TestNoSuchRole is answered like a role that trusts nobody, so that roles of
// other accounts cannot be found out.
func TestNoSuchRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust(home, ""))
	w.may("AKIABOB", "*")
	var texts []string
	for _, name := range []string{"r", "x"} {
		_, err := w.as("AKIABOB").AssumeRole(t.Context(), &api.AssumeRoleInput{
			RoleArn: "arn:aws:iam::" + home + ":role/" + name, RoleSessionName: "s1"})
		refused(t, err, "AccessDenied", "not authorized to perform: sts:AssumeRole")
		texts = append(texts, strings.ReplaceAll(err.Error(), "role/"+name, "role/?"))
	}
	if texts[0] != texts[1] {
		t.Errorf("%q", texts)
	}
	for _, name := range []string{
		"role/r", "arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":role/",
		"arn:aws:sts::" + home + ":role/r", "arn:aws:iam::1234:role/rrrrrrrr",
	} {
		_, err := w.as("AKIABOB").AssumeRole(t.Context(),
			&api.AssumeRoleInput{RoleArn: name, RoleSessionName: "s1"})
		if e := fmt.Sprint(err); !strings.HasPrefix(e, "ValidationError") {
			t.Errorf("%s: %s", name, e)
		}
	}
}

// TestConditions: external id, session name, source identity and tags decide.
func TestConditions(t *testing.T) {
	t.Parallel()
	in := func(change func(*api.AssumeRoleInput)) *api.AssumeRoleInput {
		i := &api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: "s1"}
		change(i)
		return i
	}
	for name, c := range map[string]struct {
		condition    string
		right, wrong func(*api.AssumeRoleInput)
	}{
		"external id": {`"StringEquals":{"sts:ExternalId":"word"}`,
			func(i *api.AssumeRoleInput) { i.ExternalId = "word" },
			func(i *api.AssumeRoleInput) { i.ExternalId = "other" }},
		"external id, none": {`"StringEquals":{"sts:ExternalId":"word"}`,
			func(i *api.AssumeRoleInput) { i.ExternalId = "word" },
			func(*api.AssumeRoleInput) {}},
		"session name": {`"StringEquals":{"sts:RoleSessionName":"${aws:username}"}`,
			func(i *api.AssumeRoleInput) { i.RoleSessionName = "alice" },
			func(*api.AssumeRoleInput) {}},
		"source identity": {`"StringLike":{"sts:SourceIdentity":"al*"}`,
			func(i *api.AssumeRoleInput) { i.SourceIdentity = "alice" },
			func(i *api.AssumeRoleInput) { i.SourceIdentity = "bob" }},
		"request tag": {`"StringEquals":{"aws:RequestTag/team":"blue"}`,
			func(i *api.AssumeRoleInput) { i.Tags = []api.Tag{{Key: "Team", Value: "blue"}} },
			func(i *api.AssumeRoleInput) { i.Tags = []api.Tag{{Key: "Team", Value: "red"}} }},
		"tag keys": {`"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}`,
			func(i *api.AssumeRoleInput) { i.Tags = []api.Tag{{Key: "a", Value: "1"}} },
			func(i *api.AssumeRoleInput) { i.Tags = []api.Tag{{Key: "b", Value: "1"}} }},
		"MFA": {`"Bool":{"aws:MultiFactorAuthPresent":"true"}`,
			func(i *api.AssumeRoleInput) {
				i.SerialNumber, i.TokenCode = "arn:aws:iam::"+home+":mfa/alice", "123456"
			},
			func(*api.AssumeRoleInput) {}},
	} {
		w := newWorld(t)
		w.code = "123456"
		w.role(home, "r", trust(aliceARN(), c.condition))
		w.assume(w.as("AKIAALICE"), in(c.right))
		_, err := w.as("AKIAALICE").AssumeRole(t.Context(), in(c.wrong))
		if !strings.HasPrefix(fmt.Sprint(err), "AccessDenied") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDurations: a role's maximum bounds its sessions, an hour those of chains.
func TestDurations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust(home, ""), allow("sts:AssumeRole")).MaxSession = 2 * time.Hour
	w.may("AKIAALICE", "sts:AssumeRole")
	alice := w.as("AKIAALICE")
	for _, c := range []struct {
		seconds *int32
		want    time.Duration
		refusal string
	}{
		{nil, time.Hour, ""}, {new(int32(900)), 15 * time.Minute, ""},
		{new(int32(7200)), 2 * time.Hour, ""},
		{new(int32(7201)), 0, "exceeds the MaxSessionDuration set for this role"},
		{new(int32(899)), 0, "greater than or equal to 900"},
		{new(int32(43201)), 0, "less than or equal to 43200"},
	} {
		out, err := alice.AssumeRole(t.Context(), &api.AssumeRoleInput{
			RoleArn: roleARN, RoleSessionName: "s1", DurationSeconds: c.seconds})
		if c.refusal != "" {
			refused(t, err, "ValidationError", c.refusal)
		} else if err != nil || !out.Credentials.Expiration.Equal(w.time().Add(c.want)) {
			t.Errorf("%v: %v", c.want, err)
		}
	}
	session := w.with(w.assume(alice, &api.AssumeRoleInput{RoleArn: roleARN}).Credentials)
	w.assume(session, &api.AssumeRoleInput{RoleArn: roleARN, DurationSeconds: new(int32(3600))})
	_, err := session.AssumeRole(t.Context(), &api.AssumeRoleInput{
		RoleArn: roleARN, RoleSessionName: "s1", DurationSeconds: new(int32(3601))})
	refused(t, err, "ValidationError", "exceeds the 1 hour session limit for roles assumed by "+
		"role chaining")
}

// TestChain: transitive tags and the source identity go on through a chain and
// cannot be changed there.
func TestChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const second = "arn:aws:iam::" + home + ":role/second"
	w.role(home, "r", trust(aliceARN(), ""))
	w.role(home, "second", trust(roleARN, `"StringEquals":{"aws:PrincipalTag/team":"blue",`+
		`"aws:SourceIdentity":"ann"}`))
	first := w.with(w.assume(w.as("AKIAALICE"), &api.AssumeRoleInput{
		RoleArn: roleARN, SourceIdentity: "ann",
		Tags:              []api.Tag{{Key: "team", Value: "blue"}, {Key: "stays", Value: "here"}},
		TransitiveTagKeys: []string{"Team"},
	}).Credentials)
	out := w.assume(first, &api.AssumeRoleInput{RoleArn: second})
	if out.SourceIdentity != "ann" || out.PackedPolicySize == nil || *out.PackedPolicySize < 1 {
		t.Errorf("%+v", out)
	}
	k := keyOf(out.Credentials)
	who, err := w.svc.Identity(t.Context(), k.AccessKeyID, k.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%v %v %s", who.Tags, who.Session.Transitive, who.Session.SourceIdentity) !=
		"map[team:blue] map[team:blue] ann" {
		t.Errorf("%v %+v", who.Tags, who.Session)
	}
	if who.Event.SessionContext.SourceIdentity != "ann" {
		t.Errorf("%+v", who.Event.SessionContext)
	}
	for code, in := range map[string]*api.AssumeRoleInput{
		"AccessDenied: cannot be changed": {SourceIdentity: "ann2"},
		"ValidationError: conflicts with a transitive tag": {
			Tags: []api.Tag{{Key: "TEAM", Value: "red"}}},
	} {
		in.RoleArn, in.RoleSessionName = second, "s2"
		_, err := first.AssumeRole(t.Context(), in)
		code, text, _ := strings.Cut(code, ": ")
		refused(t, err, code, text)
	}
	// Who may not tag cannot hand tags on.
	w.role(home, "second", strings.Replace(trust(roleARN, ""), `"sts:TagSession",`, "", 1))
	_, err = first.AssumeRole(t.Context(),
		&api.AssumeRoleInput{RoleArn: second, RoleSessionName: "s2"})
	refused(t, err, "AccessDenied", "sts:TagSession")
	w.role(home, "second", strings.Replace(trust(roleARN, ""), `,"sts:SetSourceIdentity"`, "", 1))
	_, err = first.AssumeRole(t.Context(),
		&api.AssumeRoleInput{RoleArn: second, RoleSessionName: "s2"})
	refused(t, err, "AccessDenied", "sts:SetSourceIdentity")
}

// TestTags: rules of session tags.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust(aliceARN(), "")).Tags = map[string]string{"Team": "of role", "x": "y"}
	out := w.assume(w.as("AKIAALICE"), &api.AssumeRoleInput{RoleArn: roleARN,
		Tags: []api.Tag{{Key: "team", Value: "of session"}}})
	k := keyOf(out.Credentials)
	who, err := w.svc.Identity(t.Context(), k.AccessKeyID, k.SessionToken)
	if err != nil || fmt.Sprint(who.Tags) != "map[team:of session x:y]" {
		t.Errorf("%v, %v", who, err)
	}
	random := func(i int) string { return fmt.Sprintf("%x", policySum(i)) }
	var many []api.Tag
	for i := range 50 {
		many = append(many, api.Tag{Key: random(i) + random(i+1000),
			Value: random(i+2000) + random(i+3000) + random(i+4000)})
	}
	for text, in := range map[string]api.AssumeRoleInput{
		"ValidationError: Duplicate tag keys": {
			Tags: []api.Tag{{Key: "a", Value: "1"}, {Key: "A", Value: "2"}}},
		"ValidationError: reserved":                 {Tags: []api.Tag{{Key: "aws:a", Value: "1"}}},
		"ValidationError: must be included":         {TransitiveTagKeys: []string{"a"}},
		"PackedPolicyTooLarge: % of allotted space": {Tags: many},
	} {
		in.RoleArn, in.RoleSessionName = roleARN, "s1"
		_, err := w.as("AKIAALICE").AssumeRole(t.Context(), &in)
		code, text, _ := strings.Cut(text, ": ")
		refused(t, err, code, text)
	}
}

// TestSessionPolicies: what is passed limits the session, and never gives.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust(aliceARN(), ""), allow("sts:GetAccessKeyInfo"))
	const readOnly = "arn:aws:iam::" + home + ":policy/read"
	w.docs[readOnly] = policy.Policy{Name: readOnly,
		Document: w.parse(allow("sts:GetAccessKey*"), policy.Identity)}
	arns := []api.PolicyDescriptorType{{Arn: readOnly}}
	alice := w.as("AKIAALICE")
	use := func(c *api.Credentials) error {
		_, err := w.with(c).GetAccessKeyInfo(t.Context(),
			&api.GetAccessKeyInfoInput{AccessKeyId: c.AccessKeyId})
		return err
	}
	for name, c := range map[string]struct {
		in      api.AssumeRoleInput
		refusal string
	}{
		"none":       {api.AssumeRoleInput{}, ""},
		"inline":     {api.AssumeRoleInput{Policy: allow("sts:*")}, ""},
		"managed":    {api.AssumeRoleInput{PolicyArns: arns}, ""},
		"one of two": {api.AssumeRoleInput{PolicyArns: arns, Policy: allow("kms:*")}, ""},
		"other":      {api.AssumeRoleInput{Policy: allow("kms:*")}, "no session policy allows"},
	} {
		in := c.in
		in.RoleArn = roleARN
		out := w.assume(alice, &in)
		switch err := use(out.Credentials); {
		case c.refusal != "":
			refused(t, err, "AccessDenied", c.refusal)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	kept := w.assume(alice, &api.AssumeRoleInput{RoleArn: roleARN, PolicyArns: arns}).Credentials
	delete(w.docs, readOnly) // a managed policy that is gone allows nothing
	refused(t, use(kept), "AccessDenied", "no session policy allows")
	long := `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::` +
		strings.Repeat("a", 2048) + `"}]}`
	for text, in := range map[string]api.AssumeRoleInput{
		"MalformedPolicyDocument: ":          {Policy: `{"Statement":1}`},
		"MalformedPolicyDocument: not exist": {PolicyArns: arns},
		"ValidationError: at most 2048":      {Policy: long},
		"ValidationError: limit of 10":       {PolicyArns: make([]api.PolicyDescriptorType, 11)},
	} {
		for i := range in.PolicyArns {
			in.PolicyArns[i].Arn = readOnly
		}
		in.RoleArn, in.RoleSessionName = roleARN, "s1"
		_, err := alice.AssumeRole(t.Context(), &in)
		code, text, _ := strings.Cut(text, ": ")
		refused(t, err, code, text)
	}
}

// TestLargestSession: the token of the most that can be passed still works.
func TestLargestSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role(home, "r", trust(aliceARN(), ""))
	var largest *api.AssumeRoleOutput
	for n := range maxTags {
		in := &api.AssumeRoleInput{RoleArn: roleARN, RoleSessionName: "s1"}
		for i := range n + 1 {
			in.Tags = append(in.Tags, api.Tag{
				Key: fmt.Sprintf("%x%x", policySum(i), policySum(i+1000)),
				Value: fmt.Sprintf("%x%x%x%x", policySum(i+2000), policySum(i+3000),
					policySum(i+4000), policySum(i+5000))})
		}
		out, err := w.as("AKIAALICE").AssumeRole(t.Context(), in)
		if err != nil {
			refused(t, err, "PackedPolicyTooLarge", "% of allotted space")
			break
		}
		largest = out
	}
	if p := *largest.PackedPolicySize; p < 95 || p > 100 {
		t.Errorf("the largest takes %d%%", p)
	}
	if got := w.whoami(w.with(largest.Credentials)); got != largest.AssumedRoleUser.Arn {
		t.Errorf("%d characters: %s", len(largest.Credentials.SessionToken), got)
	}
}
