package story

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"coffer/test/story/kit"
)

const firstAccount, secondAccount = "000000000000", "111111111111"

// newAccount makes an account by the command line, and gives its root user's key.
func newAccount(t *testing.T, data, account string) (id, secret string) {
	t.Helper()
	r := kit.Run(t, binary, "accounts", "create", "--account", account, "--output", "json",
		"--data", data)
	var out struct{ Account, AccessKeyId, SecretAccessKey string }
	if err := json.Unmarshal([]byte(r.Out), &out); err != nil || r.Code != 0 ||
		out.Account != account || len(out.SecretAccessKey) != 40 {
		t.Fatalf("accounts create: %d %q %q %v", r.Code, r.Out, r.Err, err)
	}
	return out.AccessKeyId, out.SecretAccessKey
}

// TestAccounts: an account is made while the process serves, and where none does; its
// root user sees nothing of another account.
func TestAccounts(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	const early = "222222222222"
	id, secret := newAccount(t, data, early)
	s := kit.Start(t, kit.Config{Binary: binary, Data: data, Args: []string{"--ports", "auto"}})
	s.Secret(secret)
	a, b := s.AWS(), s.AWSAs(id, secret)
	id, secret = newAccount(t, s.Data(), secondAccount)
	s.Secret(secret)
	c := s.AWSAs(id, secret)
	for account, clients := range map[string]*kit.AWS{
		firstAccount: a, early: b, secondAccount: c,
	} {
		out := kit.Do(t, clients.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
		if aws.ToString(out.Account) != account ||
			aws.ToString(out.Arn) != "arn:aws:iam::"+account+":root" {
			t.Errorf("%s: %+v", account, out)
		}
	}
	renewed(t, s, early, b)
	a = renewed(t, s, firstAccount, a) // with which the command line goes on
	r := kit.Run(t, binary, "accounts", "create", "--account", early, "--data", data)
	if r.Code == 0 || r.Out != "" {
		t.Errorf("made twice: %d %q", r.Code, r.Out)
	}
	r = kit.Run(t, binary, "accounts", "list", "--output", "json", "--data", data)
	var list struct{ Accounts []struct{ Account string } }
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil || len(list.Accounts) != 3 ||
		list.Accounts[0].Account != firstAccount || list.Accounts[2].Account != early {
		t.Errorf("%s, %v", r.Out, err)
	}
	key := kit.CreateKey(t, a)
	kit.Do(t, a.IAM.CreateUser, &iam.CreateUserInput{UserName: aws.String("alice")})
	apart(t, a, c, key)
}

// renewed replaces the keys of a root user by the command line: old has none then, and
// the new one is the account's.
func renewed(t *testing.T, s *kit.Server, account string, old *kit.AWS) *kit.AWS {
	t.Helper()
	r := kit.Run(t, binary, "accounts", "new-key", "--account", account, "--replace",
		"--output", "json", "--data", s.Data())
	var out struct{ AccessKeyId, SecretAccessKey string }
	if err := json.Unmarshal([]byte(r.Out), &out); err != nil || r.Code != 0 {
		t.Fatalf("accounts new-key: %d %q %q %v", r.Code, r.Out, r.Err, err)
	}
	s.Secret(out.SecretAccessKey)
	kit.Refused(t, old.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{},
		"InvalidClientTokenId")
	now := s.AWSAs(out.AccessKeyId, out.SecretAccessKey)
	who := kit.Do(t, now.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if aws.ToString(who.Arn) != "arn:aws:iam::"+account+":root" {
		t.Errorf("%+v", who)
	}
	return now
}

// apart fails if c sees anything of what is in the account of a.
func apart(t *testing.T, a, c *kit.AWS, key string) {
	t.Helper()
	if n := len(kit.Do(t, c.KMS.ListKeys, &kms.ListKeysInput{}).Keys); n != 0 {
		t.Errorf("%d keys", n)
	}
	if n := len(kit.Do(t, c.KMS.ListAliases, &kms.ListAliasesInput{}).Aliases); n != 0 {
		t.Errorf("%d aliases", n)
	}
	if n := len(kit.Do(t, c.IAM.ListUsers, &iam.ListUsersInput{}).Users); n != 0 {
		t.Errorf("%d users", n)
	}
	if n := len(kit.Do(t, c.MQ.ListBrokers, &mq.ListBrokersInput{}).BrokerSummaries); n != 0 {
		t.Errorf("%d brokers", n)
	}
	brokers := kit.Do(t, a.MQ.ListBrokers, &mq.ListBrokersInput{}).BrokerSummaries
	if len(brokers) != 1 {
		t.Fatalf("%d brokers of one's own", len(brokers))
	}
	kit.Refused(t, c.MQ.DescribeBroker, &mq.DescribeBrokerInput{BrokerId: brokers[0].BrokerId},
		"NotFoundException")
	kit.Refused(t, c.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: brokers[0].BrokerId},
		"NotFoundException")
	_, id, _ := strings.Cut(key, "/")
	kit.Refused(t, c.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: aws.String(id)},
		"NotFoundException") // without the account
	kit.Refused(t, c.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: aws.String(key)},
		"AccessDeniedException")
	for _, e := range c.Events(t, types.LookupAttributeKeyReadOnly, "false") {
		if e.At("recipientAccountId") != secondAccount {
			t.Errorf("an event of account %v", e.At("recipientAccountId"))
		}
	}
}

// TestCrossAccountRole_S305 assumes a role of another account: its trust policy and the
// caller's own have to allow it, and each alone does not.
func TestCrossAccountRole_S305(t *testing.T) {
	t.Parallel()
	s := start(t)
	owner := s.AWS()
	other := s.AWSAs(newAccount(t, s.Data(), secondAccount))
	bob := user(t, s, other, "bob", allow("kms:*", ""))
	nobody := trust(firstAccount, "")
	arn, _ := role(t, owner, "visitor", nobody, allow("kms:ListKeys", ""))
	assume := &sts.AssumeRoleInput{RoleArn: arn, RoleSessionName: aws.String("visit")}
	own := func(document string) {
		kit.Do(t, other.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("bob"),
			PolicyName: aws.String("own"), PolicyDocument: aws.String(document)})
	}
	trusts := func(document string) {
		kit.Do(t, owner.IAM.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{
			RoleName: aws.String("visitor"), PolicyDocument: aws.String(document)})
	}
	kit.Refused(t, bob.STS.AssumeRole, assume, "AccessDenied") // neither
	own(allow("sts:AssumeRole", ""))
	kit.Refused(t, bob.STS.AssumeRole, assume, "AccessDenied") // no trust
	trusts(trust(secondAccount, `"StringEquals":{"sts:ExternalId":"word"}`))
	kit.Refused(t, bob.STS.AssumeRole, assume, "AccessDenied") // not the external id
	assume.ExternalId = aws.String("word")
	visitor := s.AWSWith(kit.Do(t, bob.STS.AssumeRole, assume).Credentials)
	kit.Do(t, visitor.KMS.ListKeys, &kms.ListKeysInput{})
	kit.Refused(t, visitor.KMS.ListAliases, &kms.ListAliasesInput{}, "AccessDeniedException")
	kit.Refused(t, bob.KMS.DescribeKey, &kms.DescribeKeyInput{
		KeyId: aws.String("arn:aws:kms:us-east-1:" + firstAccount + ":alias/aws/mq")},
		"NotFoundException")
	own(allow("kms:*", ""))
	kit.Refused(t, bob.STS.AssumeRole, assume, "AccessDenied") // no permission of one's own
	own(allow("sts:AssumeRole", ""))
	trusts(nobody)
	kit.Refused(t, bob.STS.AssumeRole, assume, "AccessDenied") // trust was taken back
	shared(t, owner, other, "AssumeRole")
}

// shared compares the one event of a call that the owner of a resource got with the
// caller's: it tells of who asked the account and the principal's id. Calls that were
// denied stay with the caller (CT-05).
func shared(t *testing.T, owner, caller *kit.AWS, name string) {
	t.Helper()
	got := owner.Events(t, types.LookupAttributeKeyEventName, name)
	if len(got) != 1 {
		t.Fatalf("the owner has %d events", len(got))
	}
	to, id := got[0], got[0].At("sharedEventID")
	own := slices.DeleteFunc(caller.Events(t, types.LookupAttributeKeyEventName, name),
		func(e kit.Event) bool { return id == nil || e.At("sharedEventID") != id })
	if len(own) != 1 {
		t.Fatalf("the caller has %d events %v", len(own), id)
	}
	from := own[0]
	who, _ := to.At("userIdentity").(map[string]any)
	if len(who) != 3 || who["type"] != "AWSAccount" || who["accountId"] != secondAccount ||
		who["principalId"] != from.At("userIdentity", "principalId") ||
		from.At("userIdentity", "userName") == nil || from.At("eventID") == to.At("eventID") ||
		to.At("recipientAccountId") != firstAccount {
		t.Errorf("the owner sees %v, the caller %v", to, from)
	}
	for _, same := range []string{"requestID", "eventTime", "sourceIPAddress", "resources",
		"requestParameters"} {
		if !reflect.DeepEqual(from.At(same), to.At(same)) {
			t.Errorf("%s differs: %v, %v", same, from.At(same), to.At(same))
		}
	}
}

// TestCrossAccountKey uses a key of another account: its key policy and the caller's
// own policies have to allow it.
func TestCrossAccountKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	owner := s.AWS()
	other := s.AWSAs(newAccount(t, s.Data(), secondAccount))
	bob := user(t, s, other, "bob", allow("sts:*", ""))
	key := kit.CreateKey(t, owner)
	encrypt := &kms.EncryptInput{KeyId: aws.String(key), Plaintext: []byte("word")}
	lets := func(accounts string) {
		kit.Do(t, owner.KMS.PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: aws.String(key),
			Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
				`"Principal":{"AWS":[` + accounts + `]},"Action":"kms:*","Resource":"*"}]}`)})
	}
	own := func(document string) {
		kit.Do(t, other.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("bob"),
			PolicyName: aws.String("own"), PolicyDocument: aws.String(document)})
	}
	lets(`"` + firstAccount + `","` + secondAccount + `"`)
	kit.Refused(t, bob.KMS.Encrypt, encrypt, "AccessDeniedException") // own policy lacks it
	own(allow("kms:*", ""))
	sealed := kit.Do(t, bob.KMS.Encrypt, encrypt).CiphertextBlob
	opened := kit.Do(t, owner.KMS.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed})
	if string(opened.Plaintext) != "word" {
		t.Errorf("%q", opened.Plaintext)
	}
	kit.Do(t, bob.KMS.Decrypt, &kms.DecryptInput{
		CiphertextBlob: sealed, KeyId: aws.String(key)})
	lets(`"` + firstAccount + `"`)
	kit.Refused(t, bob.KMS.Encrypt, encrypt, "AccessDeniedException") // key policy lacks it
	kit.Refused(t, bob.KMS.Decrypt, &kms.DecryptInput{
		CiphertextBlob: sealed, KeyId: aws.String(key)}, "AccessDeniedException")
}
