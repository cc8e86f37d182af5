package story

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"coffer/test/story/kit"
)

// statementToAdd is what an explanation says to add.
var statementToAdd = regexp.MustCompile(`(?m)^ *add: (\{.*\})$`)

// explainLast runs coffer explain for the last call.
func explainLast(t *testing.T, s *kit.Server) string {
	t.Helper()
	calls := s.Calls.All()
	r := kit.Run(t, binary, "explain", calls[len(calls)-1].RequestID, "--data", s.Data())
	if r.Code != 0 {
		t.Fatalf("explain: %d, %s", r.Code, r.Err)
	}
	return r.Out
}

func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

// TestExplain takes the explanations of refusals at their word: the statement that
// one says to add, added where it says, lets the same request through, and
// another one says why.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	alice, _ := newUser(t, s, root, "alice")
	key := kit.Do(t, root.KMS.CreateKey, &kms.CreateKeyInput{}).KeyMetadata
	encrypt := &kms.EncryptInput{KeyId: key.Arn, Plaintext: []byte("x")}

	kit.Refused(t, alice.KMS.Encrypt, encrypt, "AccessDeniedException")
	text := explainLast(t, s)
	says(t, text, "Encrypt of kms.amazonaws.com", ":user/alice", "AccessDeniedException",
		"an Allow of kms:Encrypt in an identity policy of",
		"aws kms create-grant --key-id "+*key.Arn)
	add := statementToAdd.FindStringSubmatch(text)
	if add == nil {
		t.Fatalf("nothing to add in\n%s", text)
	}
	put := func(name, document string) {
		t.Helper()
		kit.Do(t, root.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("alice"),
			PolicyName: &name, PolicyDocument: &document})
	}
	put("fix", `{"Version":"2012-10-17","Statement":[`+add[1]+`]}`)
	kit.Do(t, alice.KMS.Encrypt, encrypt)
	says(t, explainLast(t, s), "allowed by identity policy user/alice/fix, statement #1",
		"with resource policy")

	put("stop", `{"Version":"2012-10-17","Statement":[{"Sid":"NoTest","Effect":"Deny",`+
		`"Action":"kms:*","Resource":"*","Condition":{"StringEquals":`+
		`{"kms:EncryptionContext:stage":"test"}}}]}`)
	encrypt.EncryptionContext = map[string]string{"stage": "test"}
	kit.Refused(t, alice.KMS.Encrypt, encrypt, "AccessDeniedException")
	says(t, explainLast(t, s), "by: identity policy user/alice/stop, statement NoTest",
		"met: condition StringEquals kms:EncryptionContext:stage", "Change or remove the statement")
	kit.Do(t, root.IAM.ListUsers, &iam.ListUsersInput{})
	says(t, explainLast(t, s), "the root user needs no policy")

	r := kit.Run(t, binary, "explain", "no-such-request", "--data", s.Data())
	if r.Code == 0 || !strings.Contains(r.Err, "has no request no-such-request on record") {
		t.Errorf("no such request: %d, %s", r.Code, r.Err)
	}
}

// TestSimulate asks the simulator by the SDK, over pages, what a user may.
func TestSimulate(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	newUser(t, s, root, "alice")
	kit.Do(t, root.IAM.PutUserPolicy, &iam.PutUserPolicyInput{UserName: aws.String("alice"),
		PolicyName: aws.String("own"), PolicyDocument: aws.String(`{"Version":"2012-10-17",
 "Statement":[
  {"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:*:*:${aws:username}-*"},
  {"Effect":"Deny","Action":"sqs:Delete*","Resource":"*",
   "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}]}`)})
	user := kit.Do(t, root.IAM.GetUser, &iam.GetUserInput{UserName: aws.String("alice")}).User
	pages := iam.NewSimulatePrincipalPolicyPaginator(root.IAM, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: user.Arn, ActionNames: []string{"sqs:SendMessage", "sqs:DeleteQueue"},
		ResourceArns: []string{"arn:aws:sqs:us-east-1:111122223333:alice-q",
			"arn:aws:sqs:us-east-1:111122223333:bob-q"},
		ContextEntries: []iamtypes.ContextEntry{{
			ContextKeyName:   aws.String("aws:MultiFactorAuthPresent"),
			ContextKeyType:   iamtypes.ContextKeyTypeEnumBoolean,
			ContextKeyValues: []string{"false"}}},
		MaxItems: aws.Int32(3)})
	var got []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.EvaluationResults {
			text := string(r.EvalDecision)
			for _, m := range r.MatchedStatements {
				text += " " + *m.SourcePolicyId + ":" + string(rune('0'+m.StartPosition.Line))
			}
			got = append(got, text)
		}
	}
	want := "allowed user_alice_own:3, implicitDeny, explicitDeny user_alice_own:4, " +
		"explicitDeny user_alice_own:4"
	if strings.Join(got, ", ") != want {
		t.Errorf("%q", got)
	}
	keys := kit.Do(t, root.IAM.GetContextKeysForPrincipalPolicy,
		&iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: user.Arn})
	if strings.Join(keys.ContextKeyNames, " ") != "aws:username aws:MultiFactorAuthPresent" {
		t.Errorf("%q", keys.ContextKeyNames)
	}
}
