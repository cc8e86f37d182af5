package story

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestManagedKey_MQ03 makes a broker on the key that Amazon MQ keeps in the
// account: the account sees it and can change nothing about it (MQ-03).
func TestManagedKey_MQ03(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b := &kit.Broker{User: "story", Password: "pw-1234567890"}
	s.Secret(b.Password)
	in := b.Request("managed", "")
	in.EncryptionOptions = &types.EncryptionOptions{UseAwsOwnedKey: aws.Bool(false)}
	b.ID = aws.ToString(kit.Do(t, a.MQ.CreateBroker, in).BrokerId)
	b.Await(t, a, types.BrokerStateRunning)

	name := aws.String("alias/aws/mq")
	key := kit.Do(t, a.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: name}).KeyMetadata
	if key.KeyManager != kmstypes.KeyManagerTypeAws {
		t.Errorf("key manager %s", key.KeyManager)
	}
	for _, try := range []func() error{
		func() error {
			_, err := a.KMS.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: key.Arn})
			return err
		},
		func() error {
			_, err := a.KMS.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{
				KeyId: key.Arn, Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`)})
			return err
		},
		func() error {
			_, err := a.KMS.Encrypt(t.Context(), &kms.EncryptInput{
				KeyId: key.Arn, Plaintext: []byte("x")})
			return err
		},
	} {
		if code, _ := kit.Fault(try()); code != "AccessDeniedException" {
			t.Errorf("the account may change or use the key: %q", code)
		}
	}
	ch := channel(t, s.Dial(b.Address(t, a)), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Error("a message is refused")
	}
	grants := kit.Do(t, a.KMS.ListGrants, &kms.ListGrantsInput{KeyId: key.Arn}).Grants
	if len(grants) != 2 {
		t.Errorf("%d grants, want those of a customer key", len(grants))
	}
}
