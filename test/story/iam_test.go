package story

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"coffer/test/story/kit"
)

// document is an identity policy with one statement about everything.
func document(effect string, actions ...string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"` + effect +
		`","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`)
}

// newUser makes a user and gives its clients and its access key.
func newUser(t *testing.T, s *kit.Server, root *kit.AWS, name string) (
	*kit.AWS, *iamtypes.AccessKey,
) {
	t.Helper()
	kit.Do(t, root.IAM.CreateUser, &iam.CreateUserInput{UserName: &name})
	key := kit.Do(t, root.IAM.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: &name}).AccessKey
	s.Secret(*key.SecretAccessKey)
	return s.AWSAs(*key.AccessKeyId, *key.SecretAccessKey), key
}

// TestIAM01: a user without mq:CreateBroker is refused, may at once when a policy
// allows it, and at once may not when one denies it or a boundary leaves it out.
func TestIAM01(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	alice, key := newUser(t, s, root, "alice")
	me := kit.Do(t, alice.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if !strings.HasSuffix(*me.Arn, ":user/alice") || !strings.HasPrefix(*me.UserId, "AIDA") {
		t.Errorf("%s, %s", *me.Arn, *me.UserId)
	}
	broker := (&kit.Broker{User: "admin", Password: "correct-horse-battery"}).
		Request("orders", "")
	refused := func(reason string) {
		t.Helper()
		text := kit.Refused(t, alice.MQ.CreateBroker, broker, "AccessDeniedException")
		if !strings.Contains(text, "User: "+*me.Arn+" is not authorized to perform: "+
			"mq:CreateBroker") || !strings.Contains(text, reason) {
			t.Errorf("%s; want %q", text, reason)
		}
	}
	const byDefault = "because no identity-based policy allows the mq:CreateBroker action"
	refused(byDefault)

	policy := kit.Do(t, root.IAM.CreatePolicy, &iam.CreatePolicyInput{
		PolicyName: aws.String("brokers"), PolicyDocument: document("Allow", "mq:*")}).Policy
	attach := &iam.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: policy.Arn}
	kit.Do(t, root.IAM.AttachUserPolicy, attach)
	kit.Do(t, alice.MQ.ListBrokers, &mq.ListBrokersInput{})
	kit.Do(t, root.IAM.PutUserPolicy, &iam.PutUserPolicyInput{
		UserName: attach.UserName, PolicyName: aws.String("no"),
		PolicyDocument: document("Deny", "mq:Create*")})
	refused("with an explicit deny in an identity-based policy")
	kit.Do(t, root.IAM.DeleteUserPolicy, &iam.DeleteUserPolicyInput{
		UserName: attach.UserName, PolicyName: aws.String("no")})
	kit.Do(t, root.IAM.PutUserPermissionsBoundary, &iam.PutUserPermissionsBoundaryInput{
		UserName:            attach.UserName,
		PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AmazonMQReadOnlyAccess")})
	refused("because no permissions boundary allows the mq:CreateBroker action")
	kit.Do(t, root.IAM.DeleteUserPermissionsBoundary,
		&iam.DeleteUserPermissionsBoundaryInput{UserName: attach.UserName})
	kit.Do(t, alice.MQ.CreateBroker, broker)
	kit.Do(t, root.IAM.DetachUserPolicy, &iam.DetachUserPolicyInput{
		UserName: attach.UserName, PolicyArn: policy.Arn})
	refused(byDefault)

	used := kit.Do(t, root.IAM.GetAccessKeyLastUsed,
		&iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId})
	if u := used.AccessKeyLastUsed; *used.UserName != "alice" || *u.ServiceName != "mq" ||
		u.LastUsedDate == nil {
		t.Errorf("last used: %+v", u)
	}
	kit.Do(t, root.IAM.UpdateAccessKey, &iam.UpdateAccessKeyInput{
		UserName: attach.UserName, AccessKeyId: key.AccessKeyId,
		Status: iamtypes.StatusTypeInactive})
	text := kit.Refused(t, alice.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{},
		"InvalidClientTokenId")
	if text != "The security token included in the request is invalid." {
		t.Error(text)
	}
	checkUserEvent(t, root, me, *key.AccessKeyId)
}

// checkUserEvent compares what the trail tells of a user.
func checkUserEvent(t *testing.T, a *kit.AWS, me *sts.GetCallerIdentityOutput, key string) {
	t.Helper()
	list := a.Events(t, types.LookupAttributeKeyUsername, "alice")
	var made kit.Event
	for _, e := range list {
		if e["eventName"] == "CreateBroker" && e["errorCode"] == nil {
			made = e
		}
	}
	want := map[string]any{
		"type": "IAMUser", "principalId": *me.UserId, "arn": *me.Arn,
		"accountId": *me.Account, "accessKeyId": key, "userName": "alice",
	}
	for name, v := range want {
		if made == nil || made.At("userIdentity", name) != v {
			t.Errorf("userIdentity.%s of %v, want %v", name, made["userIdentity"], v)
		}
	}
}

// TestIAMDescribed: what the real client reads back is what it wrote.
func TestIAMDescribed(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.AWS().IAM
	trust := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	tags := []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("")}}
	kit.Do(t, c.CreateRole, &iam.CreateRoleInput{
		RoleName: aws.String("worker"), Path: aws.String("/team/"),
		AssumeRolePolicyDocument: trust, Description: aws.String("does <work> & more"),
		MaxSessionDuration: aws.Int32(7200), Tags: tags})
	r := kit.Do(t, c.GetRole, &iam.GetRoleInput{RoleName: aws.String("worker")}).Role
	if text, err := url.QueryUnescape(*r.AssumeRolePolicyDocument); err != nil || text != *trust {
		t.Errorf("trust %q, %v", text, err)
	}
	if *r.Description != "does <work> & more" || *r.MaxSessionDuration != 7200 ||
		len(r.Tags) != 1 || *r.Tags[0].Value != "" || *r.Path != "/team/" ||
		r.CreateDate.IsZero() {
		t.Errorf("%+v", r)
	}
	kit.Do(t, c.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: r.RoleName,
		PolicyName: aws.String("in"), PolicyDocument: document("Allow", "s3:*")})
	in := kit.Do(t, c.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: r.RoleName,
		PolicyName: aws.String("in")})
	text, err := url.QueryUnescape(*in.PolicyDocument)
	if err != nil || text != *document("Allow", "s3:*") {
		t.Errorf("inline %q, %v", text, err)
	}
	kit.Do(t, c.CreateInstanceProfile, &iam.CreateInstanceProfileInput{
		InstanceProfileName: aws.String("box")})
	kit.Do(t, c.AddRoleToInstanceProfile, &iam.AddRoleToInstanceProfileInput{
		InstanceProfileName: aws.String("box"), RoleName: r.RoleName})
	p := kit.Do(t, c.GetInstanceProfile, &iam.GetInstanceProfileInput{
		InstanceProfileName: aws.String("box")}).InstanceProfile
	if len(p.Roles) != 1 || *p.Roles[0].RoleId != *r.RoleId {
		t.Errorf("%+v", p)
	}
	kit.Refused(t, c.DeleteRole, &iam.DeleteRoleInput{RoleName: r.RoleName}, "DeleteConflict")
	kit.Refused(t, c.GetUser, &iam.GetUserInput{UserName: aws.String("nobody")}, "NoSuchEntity")
	kit.Refused(t, c.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("WORKER"),
		AssumeRolePolicyDocument: trust}, "EntityAlreadyExists")
	kit.Refused(t, c.CreatePolicy, &iam.CreatePolicyInput{PolicyName: aws.String("p"),
		PolicyDocument: aws.String("{}")}, "MalformedPolicyDocument")
	kit.Refused(t, c.CreateUser, &iam.CreateUserInput{
		UserName: aws.String(strings.Repeat("a", 65))}, "ValidationError")
	kit.Refused(t, c.ListSAMLProviders, &iam.ListSAMLProvidersInput{}, "NotImplemented")
	sum := kit.Do(t, c.GetAccountSummary, &iam.GetAccountSummaryInput{})
	if sum.SummaryMap["Roles"] != 1 || sum.SummaryMap["AccountAccessKeysPresent"] != 1 {
		t.Errorf("%v", sum.SummaryMap)
	}
}

// TestIAMPages: the real client's paginators walk lists of every kind to the end,
// also after a restart.
func TestIAMPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	var names []string
	for _, c := range "abcdefg" {
		name := "user-" + string(c)
		names = append(names, name)
		kit.Do(t, a.IAM.CreateUser, &iam.CreateUserInput{UserName: &name})
		kit.Do(t, a.IAM.AttachUserPolicy, &iam.AttachUserPolicyInput{UserName: &name,
			PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	}
	var listed, entities, details []string
	pages := iam.NewListUsersPaginator(a.IAM, &iam.ListUsersInput{MaxItems: aws.Int32(3)})
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			listed = append(listed, *u.UserName)
		}
		if n == 0 {
			s.Stop()
			s.Restart() // a marker outlives the process
			*a.IAM = *s.AWS().IAM
		}
	}
	for p := iam.NewListEntitiesForPolicyPaginator(a.IAM, &iam.ListEntitiesForPolicyInput{
		PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess"),
		MaxItems:  aws.Int32(2)}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.PolicyUsers {
			entities = append(entities, *u.UserName)
		}
	}
	for p := iam.NewGetAccountAuthorizationDetailsPaginator(a.IAM,
		&iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(2),
			Filter: []iamtypes.EntityType{"User"}}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.UserDetailList {
			details = append(details, *u.UserName)
		}
	}
	for what, got := range map[string][]string{
		"users": listed, "entities": entities, "details": details,
	} {
		if strings.Join(got, " ") != strings.Join(names, " ") {
			t.Errorf("%s: %q, want %q", what, got, names)
		}
	}
}
