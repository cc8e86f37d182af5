package story

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

func (c *lossCase) disable() error {
	_, err := c.aws.KMS.DisableKey(c.Context(), &kms.DisableKeyInput{KeyId: &c.key})
	return err
}

func (c *lossCase) enable() error {
	_, err := c.aws.KMS.EnableKey(c.Context(), &kms.EnableKeyInput{KeyId: &c.key})
	return err
}

func (c *lossCase) schedule() error {
	_, err := c.aws.KMS.ScheduleKeyDeletion(c.Context(), &kms.ScheduleKeyDeletionInput{
		KeyId: &c.key, PendingWindowInDays: aws.Int32(7)})
	return err
}

func (c *lossCase) cancel() error {
	_, err := c.aws.KMS.CancelKeyDeletion(c.Context(),
		&kms.CancelKeyDeletionInput{KeyId: &c.key})
	return err
}

// The policy that lets the account do everything, and what takes the key from everyone.
const (
	allowAll = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},` +
		`"Action":"kms:*","Resource":"*"}`
	denyUse = `{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}`
)

func (c *lossCase) put(statements ...string) error {
	_, err := c.aws.KMS.PutKeyPolicy(c.Context(), &kms.PutKeyPolicyInput{KeyId: &c.key,
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[` +
			strings.Join(statements, ",") + `]}`)})
	return err
}

func (c *lossCase) deny() error { return c.put(allowAll, denyUse) }

func (c *lossCase) allow() error { return c.put(allowAll) }

// lostGrant is the id of the grant to lose; of one that cannot be seen, any.
func (c *lossCase) lostGrant() *string {
	if id := c.grants[c.grant].GrantId; id != nil {
		return id
	}
	return aws.String(strings.Repeat("0", 64))
}

func (c *lossCase) revoke() error {
	_, err := c.aws.KMS.RevokeGrant(c.Context(),
		&kms.RevokeGrantInput{KeyId: &c.key, GrantId: c.lostGrant()})
	return err
}

// retire is by the account that made the grants: no client of ours can be Amazon MQ.
func (c *lossCase) retire() error {
	_, err := c.aws.KMS.RetireGrant(c.Context(),
		&kms.RetireGrantInput{KeyId: &c.key, GrantId: c.lostGrant()})
	return err
}
