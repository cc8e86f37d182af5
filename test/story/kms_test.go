package story

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"coffer/test/story/kit"
)

// TestMadeAnew: who is made anew under the name of a user that was deleted inherits
// nothing of key policies and grants, as at AWS; who does not exist cannot be named.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key, granted := aws.String(kit.CreateKey(t, a)), aws.String(kit.CreateKey(t, a))
	const name = "arn:aws:iam::" + firstAccount + ":user/alice"
	put := &kms.PutKeyPolicyInput{KeyId: key, Policy: aws.String(`{"Statement":{"Effect":` +
		`"Allow","Principal":{"AWS":["` + firstAccount + `","` + name + `"]},"Action":"kms:*",` +
		`"Resource":"*"}}`)}
	grant := &kms.CreateGrantInput{KeyId: granted, GranteePrincipal: aws.String(name),
		Operations: []types.GrantOperation{types.GrantOperationEncrypt}}
	kit.Refused(t, a.KMS.PutKeyPolicy, put, "MalformedPolicyDocumentException")
	kit.Refused(t, a.KMS.CreateGrant, grant, "InvalidArnException")
	alice := user(t, s, a, "alice", allow("sts:*", ""))
	kit.Do(t, a.KMS.PutKeyPolicy, put)
	kit.Do(t, a.KMS.CreateGrant, grant)
	for _, k := range []*string{key, granted} {
		kit.Do(t, alice.KMS.Encrypt, &kms.EncryptInput{KeyId: k, Plaintext: []byte("x")})
	}
	id := kit.Do(t, a.IAM.GetUser, &iam.GetUserInput{UserName: aws.String("alice")}).User.UserId
	deleteUser(t, a, "alice")
	alice = user(t, s, a, "alice", allow("sts:*", ""))
	for _, k := range []*string{key, granted} {
		kit.Refused(t, alice.KMS.Encrypt, &kms.EncryptInput{KeyId: k, Plaintext: []byte("x")},
			"AccessDeniedException")
	}
	shown := kit.Do(t, a.KMS.GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: key}).Policy
	if !strings.Contains(aws.ToString(shown), `"`+aws.ToString(id)+`"`) {
		t.Errorf("shown %s, the id was %s", aws.ToString(shown), aws.ToString(id))
	}
}

// deleteUser deletes what user made.
func deleteUser(t *testing.T, a *kit.AWS, name string) {
	t.Helper()
	who := aws.String(name)
	keys := kit.Do(t, a.IAM.ListAccessKeys, &iam.ListAccessKeysInput{UserName: who})
	for _, k := range keys.AccessKeyMetadata {
		kit.Do(t, a.IAM.DeleteAccessKey, &iam.DeleteAccessKeyInput{UserName: who,
			AccessKeyId: k.AccessKeyId})
	}
	kit.Do(t, a.IAM.DeleteUserPolicy, &iam.DeleteUserPolicyInput{UserName: who,
		PolicyName: aws.String("own")})
	kit.Do(t, a.IAM.DeleteUser, &iam.DeleteUserInput{UserName: who})
}

// TestRotation_KMS14_KMS15 rotates a key on demand and shows its automatic
// rotation, with AWS's client: old ciphertexts open, new ones have new material.
func TestRotation_KMS14_KMS15(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := aws.String(kit.CreateKey(t, a))
	kit.Do(t, a.KMS.EnableKeyRotation, &kms.EnableKeyRotationInput{
		KeyId: key, RotationPeriodInDays: aws.Int32(120),
	})
	status := kit.Do(t, a.KMS.GetKeyRotationStatus, &kms.GetKeyRotationStatusInput{KeyId: key})
	wait := time.Until(aws.ToTime(status.NextRotationDate)).Hours() / 24
	if !status.KeyRotationEnabled || aws.ToInt32(status.RotationPeriodInDays) != 120 ||
		wait < 119 || wait > 120 {
		t.Errorf("%+v", status)
	}
	text, pairs := []byte("a secret"), map[string]string{"for": "payroll"}
	old := kit.Do(t, a.KMS.Encrypt, &kms.EncryptInput{
		KeyId: key, Plaintext: text, EncryptionContext: pairs,
	}).CiphertextBlob
	const turns = 3
	for range turns {
		kit.Do(t, a.KMS.RotateKeyOnDemand, &kms.RotateKeyOnDemandInput{KeyId: key})
	}
	s.Kill()
	s.Restart()
	a = s.AWS()
	opened := kit.Do(t, a.KMS.Decrypt, &kms.DecryptInput{
		CiphertextBlob: old, EncryptionContext: pairs,
	})
	if !bytes.Equal(opened.Plaintext, text) {
		t.Errorf("opened %q", opened.Plaintext)
	}
	now := kit.Do(t, a.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: key}).KeyMetadata
	var first, current string
	seen := 0
	pages := kms.NewListKeyRotationsPaginator(a.KMS, &kms.ListKeyRotationsInput{
		KeyId: key, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial,
		Limit: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rotations {
			if seen++; seen == 1 {
				first = aws.ToString(r.KeyMaterialId)
			} else if r.RotationType != types.RotationTypeOnDemand {
				t.Errorf("rotation %+v", r)
			}
			if r.KeyMaterialState == types.KeyMaterialStateCurrent {
				current = aws.ToString(r.KeyMaterialId)
			}
		}
	}
	if seen != turns+1 || first != aws.ToString(opened.KeyMaterialId) || first == current ||
		current != aws.ToString(now.CurrentKeyMaterialId) {
		t.Errorf("%d materials, first %s, current %s, opened with %s", seen, first, current,
			aws.ToString(opened.KeyMaterialId))
	}
	if n := len(a.Events(t, "EventName", "RotateKey")); n != turns {
		t.Errorf("%d events RotateKey", n)
	}
}

// TestScheduleDeletion_KMS17 schedules the deletion of a key and takes it back,
// over a restart, with the texts that AWS has.
func TestScheduleDeletion_KMS17(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := aws.String(kit.CreateKey(t, a))
	for _, days := range []int32{6, 31} {
		text := kit.Refused(t, a.KMS.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{
			KeyId: key, PendingWindowInDays: aws.Int32(days),
		}, "ValidationException")
		if text != "PendingWindowInDays must be between 7 and 30" {
			t.Errorf("%d days: %s", days, text)
		}
	}
	out := kit.Do(t, a.KMS.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: key})
	if wait := time.Until(aws.ToTime(out.DeletionDate)).Hours() / 24; wait < 29.9 || wait > 30 ||
		aws.ToInt32(out.PendingWindowInDays) != 30 ||
		out.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("%+v", out)
	}
	s.Kill()
	s.Restart()
	a = s.AWS()
	_, err := a.KMS.Encrypt(t.Context(), &kms.EncryptInput{KeyId: key, Plaintext: []byte("x")})
	bad, ok := errors.AsType[*types.KMSInvalidStateException](err)
	if !ok || bad.ErrorMessage() != aws.ToString(key)+" is pending deletion." {
		t.Error(err)
	}
	m := kit.Do(t, a.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: key}).KeyMetadata
	if !aws.ToTime(m.DeletionDate).Equal(aws.ToTime(out.DeletionDate)) || m.Enabled {
		t.Errorf("%+v", m)
	}
	kit.Do(t, a.KMS.CancelKeyDeletion, &kms.CancelKeyDeletionInput{KeyId: key})
	m = kit.Do(t, a.KMS.DescribeKey, &kms.DescribeKeyInput{KeyId: key}).KeyMetadata
	if m.KeyState != types.KeyStateDisabled || m.DeletionDate != nil {
		t.Errorf("%+v", m)
	}
}

// TestReEncrypt_KMS22 moves a ciphertext to another key and context, and asks
// whether it could, with AWS's client.
func TestReEncrypt_KMS22(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	from, to := aws.String(kit.CreateKey(t, a)), aws.String(kit.CreateKey(t, a))
	text := []byte("a secret")
	blob := kit.Do(t, a.KMS.Encrypt, &kms.EncryptInput{
		KeyId: from, Plaintext: text, EncryptionContext: map[string]string{"a": "1"},
	}).CiphertextBlob
	in := &kms.ReEncryptInput{
		CiphertextBlob: blob, SourceEncryptionContext: map[string]string{"a": "1"},
		DestinationKeyId: to, DestinationEncryptionContext: map[string]string{"b": "2"},
	}
	moved := kit.Do(t, a.KMS.ReEncrypt, in)
	if aws.ToString(moved.SourceKeyId) != aws.ToString(from) ||
		aws.ToString(moved.KeyId) != aws.ToString(to) {
		t.Errorf("%+v", moved)
	}
	opened := kit.Do(t, a.KMS.Decrypt, &kms.DecryptInput{
		CiphertextBlob: moved.CiphertextBlob, EncryptionContext: map[string]string{"b": "2"},
	})
	if !bytes.Equal(opened.Plaintext, text) {
		t.Errorf("opened %q", opened.Plaintext)
	}
	in.DryRun = aws.Bool(true)
	kit.Refused(t, a.KMS.ReEncrypt, in, "DryRunOperationException")
	in.SourceEncryptionContext = nil
	in.DryRun = nil
	kit.Refused(t, a.KMS.ReEncrypt, in, "InvalidCiphertextException")
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: from})
	kit.Refused(t, a.KMS.ReEncrypt, in, "DisabledException")
}
