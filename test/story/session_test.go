package story

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"coffer/test/story/kit"
)

// device gives a user a device by two of its codes.
func device(t *testing.T, a *kit.AWS, user, name string) *kit.Authenticator {
	t.Helper()
	out := kit.Do(t, a.IAM.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceInput{
		VirtualMFADeviceName: aws.String(name)}).VirtualMFADevice
	if len(out.QRCodePNG) == 0 {
		t.Error("no QR code")
	}
	d := kit.NewAuthenticator(t, aws.ToString(out.SerialNumber), string(out.Base32StringSeed))
	kit.Do(t, a.IAM.EnableMFADevice, &iam.EnableMFADeviceInput{
		UserName: aws.String(user), SerialNumber: out.SerialNumber,
		AuthenticationCode1: aws.String(d.Code()), AuthenticationCode2: aws.String(d.Code()),
	})
	return d
}

// user makes a user with a policy, and gives clients that sign with a key of it.
func user(t *testing.T, s *kit.Server, a *kit.AWS, name, document string) *kit.AWS {
	t.Helper()
	kit.Do(t, a.IAM.CreateUser, &iam.CreateUserInput{UserName: aws.String(name)})
	kit.Do(t, a.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String(name),
		PolicyName: aws.String("own"), PolicyDocument: aws.String(document)})
	key := kit.Do(t, a.IAM.CreateAccessKey, &iam.CreateAccessKeyInput{
		UserName: aws.String(name)}).AccessKey
	s.Secret(aws.ToString(key.SecretAccessKey))
	return s.AWSAs(aws.ToString(key.AccessKeyId), aws.ToString(key.SecretAccessKey))
}

// role makes a role with a trust policy and a managed policy, and gives both ARNs.
func role(t *testing.T, a *kit.AWS, name, trust, document string) (role, policy *string) {
	t.Helper()
	r := kit.Do(t, a.IAM.CreateRole, &iam.CreateRoleInput{RoleName: aws.String(name),
		AssumeRolePolicyDocument: aws.String(trust)}).Role
	p := kit.Do(t, a.IAM.CreatePolicy, &iam.CreatePolicyInput{
		PolicyName: aws.String("of-" + name), PolicyDocument: aws.String(document)}).Policy
	kit.Do(t, a.IAM.AttachRolePolicy, &iam.AttachRolePolicyInput{
		RoleName: r.RoleName, PolicyArn: p.Arn})
	return r.Arn, p.Arn
}

func allow(action, condition string) string {
	return statement(`"Action":"`+action+`","Resource":"*"`, condition)
}

func trust(principal, condition string) string {
	return statement(`"Action":"sts:AssumeRole","Principal":{"AWS":"`+principal+`"}`, condition)
}

func statement(rest, condition string) string {
	if condition != "" {
		condition = `,"Condition":{` + condition + `}`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rest + condition + `}]}`
}

const withMFA = `"Bool":{"aws:MultiFactorAuthPresent":"true"}`

// TestMFA_MFA01_MFA02 goes from a device to a session that proves it, with codes as an
// authenticator shows them: policies can ask for the device (MFA-01), and events say
// truthfully whether it was shown (MFA-02).
func TestMFA_MFA01_MFA02(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	alice := user(t, s, root, "alice", allow("kms:ListKeys", withMFA))
	me := kit.Do(t, alice.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	arn, _ := role(t, root, "guarded", trust(aws.ToString(me.Arn), withMFA), allow("kms:*", ""))
	one, two := device(t, root, "alice", "one"), device(t, root, "alice", "two")

	kit.Refused(t, alice.KMS.ListKeys, &kms.ListKeysInput{}, "AccessDeniedException")
	assume := &sts.AssumeRoleInput{RoleArn: arn, RoleSessionName: aws.String("work")}
	kit.Refused(t, alice.STS.AssumeRole, assume, "AccessDenied")
	plain := s.AWSWith(kit.Do(t, alice.STS.GetSessionToken,
		&sts.GetSessionTokenInput{}).Credentials)
	kit.Refused(t, plain.KMS.ListKeys, &kms.ListKeysInput{}, "AccessDeniedException")
	kit.Refused(t, plain.IAM.ListUsers, &iam.ListUsersInput{}, "InvalidClientTokenId")

	code := aws.String(one.Code())
	in := &sts.GetSessionTokenInput{SerialNumber: aws.String(one.Serial), TokenCode: code}
	cred := kit.Do(t, alice.STS.GetSessionToken, in).Credentials
	kit.Refused(t, alice.STS.GetSessionToken, in, "AccessDenied") // no code is right twice
	proved := s.AWSWith(cred)
	kit.Do(t, proved.KMS.ListKeys, &kms.ListKeysInput{})
	chained := s.AWSWith(kit.Do(t, proved.STS.AssumeRole, assume).Credentials)
	assume.SerialNumber, assume.TokenCode = aws.String(two.Serial), aws.String(two.Code())
	direct := s.AWSWith(kit.Do(t, alice.STS.AssumeRole, assume).Credentials)
	for _, a := range []*kit.AWS{chained, direct} {
		kit.Do(t, a.KMS.ListAliases, &kms.ListAliasesInput{})
	}
	seen := map[string]bool{}
	for _, e := range root.Events(t, types.LookupAttributeKeyEventName, "ListAliases") {
		seen[e.At("userIdentity", "accessKeyId").(string)] = true
		if e.At("userIdentity", "sessionContext", "attributes", "mfaAuthenticated") != "true" {
			t.Errorf("%v", e["userIdentity"])
		}
	}
	if len(seen) != 2 {
		t.Errorf("events of %v", seen)
	}
	truth := map[any]int{}
	for _, e := range root.Events(t, types.LookupAttributeKeyEventName, "ListKeys") {
		truth[e.At("userIdentity", "sessionContext", "attributes", "mfaAuthenticated")]++
	}
	if truth[nil] != 1 || truth["false"] != 1 || truth["true"] != 1 {
		t.Errorf("mfaAuthenticated of ListKeys: %v", truth)
	}
}

// TestStolenSession: a session that was copied is refused as soon as its role's policy
// is detached, and not only when it expires; so is one whose role is gone.
func TestStolenSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	key := kit.CreateKey(t, root)
	alice := user(t, s, root, "alice", allow("sts:AssumeRole", ""))
	arn, policy := role(t, root, "keys", trust("000000000000", ""), allow("kms:Encrypt", ""))
	cred := kit.Do(t, alice.STS.AssumeRole, &sts.AssumeRoleInput{
		RoleArn: arn, RoleSessionName: aws.String("work")}).Credentials
	stolen := s.AWSWith(cred)
	use := &kms.EncryptInput{KeyId: aws.String(key), Plaintext: []byte("word")}
	kit.Do(t, stolen.KMS.Encrypt, use)

	name := aws.String("keys")
	kit.Do(t, root.IAM.DetachRolePolicy,
		&iam.DetachRolePolicyInput{RoleName: name, PolicyArn: policy})
	kit.Refused(t, stolen.KMS.Encrypt, use, "AccessDeniedException")
	s.Kill()
	s.Restart() // and it stays so
	root, stolen = s.AWS(), s.AWSWith(cred)
	kit.Refused(t, stolen.KMS.Encrypt, use, "AccessDeniedException")
	kit.Do(t, root.IAM.AttachRolePolicy,
		&iam.AttachRolePolicyInput{RoleName: name, PolicyArn: policy})
	kit.Do(t, stolen.KMS.Encrypt, use)
	kit.Do(t, root.IAM.DetachRolePolicy,
		&iam.DetachRolePolicyInput{RoleName: name, PolicyArn: policy})
	kit.Do(t, root.IAM.DeleteRole, &iam.DeleteRoleInput{RoleName: name})
	kit.Refused(t, stolen.KMS.Encrypt, use, "UnrecognizedClientException")
	who := &sts.GetCallerIdentityInput{}
	kit.Refused(t, stolen.STS.GetCallerIdentity, who, "InvalidClientTokenId")
}

// TestStolenUserSession: a user's session ends with the access key that made it.
func TestStolenUserSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	alice := user(t, s, root, "alice", allow("kms:*", ""))
	stolen := s.AWSWith(kit.Do(t, alice.STS.GetSessionToken,
		&sts.GetSessionTokenInput{}).Credentials)
	kit.Do(t, stolen.KMS.ListKeys, &kms.ListKeysInput{})
	key := kit.Do(t, root.IAM.ListAccessKeys, &iam.ListAccessKeysInput{
		UserName: aws.String("alice")}).AccessKeyMetadata[0].AccessKeyId
	kit.Do(t, root.IAM.UpdateAccessKey, &iam.UpdateAccessKeyInput{
		UserName: aws.String("alice"), AccessKeyId: key, Status: "Inactive"})
	kit.Refused(t, stolen.KMS.ListKeys, &kms.ListKeysInput{}, "UnrecognizedClientException")
	kit.Do(t, root.IAM.UpdateAccessKey, &iam.UpdateAccessKeyInput{
		UserName: aws.String("alice"), AccessKeyId: key, Status: "Active"})
	kit.Do(t, stolen.KMS.ListKeys, &kms.ListKeysInput{})
	kit.Do(t, root.IAM.DeleteUserPolicy, &iam.DeleteUserPolicyInput{
		UserName: aws.String("alice"), PolicyName: aws.String("own")})
	kit.Refused(t, stolen.KMS.ListKeys, &kms.ListKeysInput{}, "AccessDeniedException")
}

// TestSessionBroker_GRT08 makes a broker with a role's session: the event of its grant
// has the published sample's fields and no others, with the session's context.
func TestSessionBroker_GRT08(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	key := kit.CreateKey(t, root)
	alice := user(t, s, root, "alice", allow("sts:AssumeRole", ""))
	arn, _ := role(t, root, "builder", trust(firstAccount, ""), allow("*", ""))
	out := kit.Do(t, alice.STS.AssumeRole, &sts.AssumeRoleInput{
		RoleArn: arn, RoleSessionName: aws.String("work")})
	s.CreateBroker(s.AWSWith(out.Credentials), "by-session", key)
	var event kit.Event
	for _, e := range root.Events(t, types.LookupAttributeKeyEventName, "CreateGrant") {
		if e.At("requestParameters", "granteePrincipal") == "mq.amazonaws.com" &&
			e.At("eventSource") == "amazonmq.amazonaws.com" &&
			e.At("requestParameters", "keyId") == key {
			event = e
		}
	}
	sample := fixture(t, "event-mq-grant-single.json")
	delete(sample, "sessionCredentialFromConsole") // of sessions of the console only
	attributes := sample.At("userIdentity", "sessionContext", "attributes").(map[string]any)
	attributes["creationDate"] = event.At("userIdentity", "sessionContext", "attributes",
		"creationDate")
	sample.At("userIdentity", "sessionContext", "sessionIssuer").(map[string]any)["userName"] =
		"builder"
	for _, f := range compare("event", map[string]any(sample), map[string]any(event)) {
		t.Error(f)
	}
	issuer := []string{"userIdentity", "sessionContext", "sessionIssuer"}
	id, _, _ := strings.Cut(aws.ToString(out.AssumedRoleUser.AssumedRoleId), ":")
	for name, got := range map[string][2]any{
		"type":        {event.At("userIdentity", "type"), "AssumedRole"},
		"arn":         {event.At("userIdentity", "arn"), *out.AssumedRoleUser.Arn},
		"access key":  {event.At("userIdentity", "accessKeyId"), *out.Credentials.AccessKeyId},
		"issuer":      {event.At(append(issuer, "arn")...), *arn},
		"issuer's id": {event.At(append(issuer, "principalId")...), id},
		"kind":        {event.At(append(issuer, "type")...), "Role"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
}
