package story

import (
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	mqtypes "github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestRevokeGrant_MQ08_MQ10_GRT20 revokes each of a broker's grants: the broker
// stops at once (MQ-10), no grant made by hand brings it back, and it can be
// deleted (MQ-08, GRT-20).
func TestRevokeGrant_MQ08_MQ10_GRT20(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	other := flow(t, s, s.Main(), "open")
	for name, c := range map[string]struct {
		volume bool
		why    string
	}{"mq_grant": {false, "mq_grant was revoked"}, "volume": {true, "the grant of vol-"}} {
		key := kit.CreateKey(t, a)
		b := s.CreateBroker(a, name, key)
		f := flow(t, s, b.Address(t, a), "q")
		g := brokerGrant(t, a, key, c.volume)
		kit.Do(t, a.KMS.RevokeGrant, &kms.RevokeGrantInput{
			KeyId: aws.String(key), GrantId: g.GrantId})
		f.refused(t, key, "was revoked")
		critical(t, a, b, c.why)
		if !c.volume { // one broker is enough to show that nothing is delivered
			f.silent(t, other, 10)
		}
		again := kit.Do(t, a.KMS.CreateGrant, &kms.CreateGrantInput{
			KeyId: aws.String(key), Name: given(g.Name), Operations: g.Operations,
			Constraints: g.Constraints, GranteePrincipal: g.GranteePrincipal,
			RetiringPrincipal: g.RetiringPrincipal,
		})
		// What lets a broker look at its key again must not bring it back.
		kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(key)})
		kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(key)})
		s.Kill()
		s.Restart()
		a = s.AWS()
		other = flow(t, s, s.Main(), "open-after-"+name)
		critical(t, a, b, c.why)
		kit.Do(t, a.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(b.ID)})
		left := kit.Do(t, a.KMS.ListGrants, &kms.ListGrantsInput{KeyId: aws.String(key)}).Grants
		if len(left) != 1 || aws.ToString(left[0].GrantId) != aws.ToString(again.GrantId) {
			t.Errorf("%s: grants %+v are left, want the one made by hand", name, left)
		}
	}
}

// given is a name to ask for, which ListGrants shows as empty where there is none.
func given(name *string) *string {
	if aws.ToString(name) == "" {
		return nil
	}
	return name
}

// brokerGrant finds mq_grant or the grant of the broker's volume.
func brokerGrant(t *testing.T, a *kit.AWS, key string, volume bool) types.GrantListEntry {
	t.Helper()
	out := kit.Do(t, a.KMS.ListGrants, &kms.ListGrantsInput{KeyId: aws.String(key)})
	for _, g := range out.Grants {
		if (aws.ToString(g.Name) == "mq_grant") != volume {
			return g
		}
	}
	t.Fatal("no such grant")
	return types.GrantListEntry{}
}

// TestKeyPolicyTakesKeyAway_MQ10 denies Amazon MQ the key by its policy, and
// gives it back; denials of callers are on the trail (KMS-24).
func TestKeyPolicyTakesKeyAway_MQ10(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := aws.String(kit.CreateKey(t, a))
	b := s.CreateBroker(a, "denied", *key)
	f := flow(t, s, b.Address(t, a), "q")
	const all = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},` +
		`"Action":"kms:*","Resource":"*"}`
	policy := func(more string) {
		t.Helper()
		kit.Do(t, a.KMS.PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: key,
			Policy: aws.String(`{"Version":"2012-10-17","Statement":[` + all + more + `]}`)})
	}
	policy(`,{"Effect":"Deny","Principal":"*","Action":["kms:Encrypt","kms:Decrypt"],` +
		`"Resource":"*"}`)
	f.refused(t, *key, "policy")
	critical(t, a, b, "denies")
	text := kit.Refused(t, a.KMS.Encrypt, &kms.EncryptInput{KeyId: key, Plaintext: []byte("x")},
		"AccessDeniedException")
	want := "arn:aws:iam::000000000000:root is not authorized to perform: kms:Encrypt on resource: "
	if !strings.Contains(text, want+*key) {
		t.Errorf("denied with %q", text)
	}
	denials := map[any]int{}
	for _, e := range a.Events(t, "ResourceName", *key) {
		if e.At("errorCode") == "AccessDenied" || e.At("errorCode") == "AccessDeniedException" {
			denials[e.At("eventName")]++
		}
	}
	if denials["Encrypt"] != 1 || denials["Decrypt"] == 0 {
		t.Errorf("denials on the trail: %v", maps.Clone(denials))
	}
	policy("")
	b.Await(t, a, mqtypes.BrokerStateRunning)
	f.flows(t)
}
