package story

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	mqtypes "github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// keys runs `coffer keys` on the server's directory and gives what it prints.
func keys(t *testing.T, s *kit.Server, args ...string) string {
	t.Helper()
	args = append([]string{"keys", args[0], "--data", s.Data()}, args[1:]...)
	r := kit.Run(t, binary, args...)
	if r.Code != 0 {
		t.Fatalf("coffer %s: %d %s", strings.Join(args, " "), r.Code, r.Err)
	}
	return r.Out
}

// TestSuspendGrant_D06 suspends each grant of a broker under traffic: the broker
// stops at once, also over a restart, loses nothing, and is running again, with
// its data and on the same connection, when the grant is resumed.
func TestSuspendGrant_D06(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	other := flow(t, s, s.Main(), "open")
	for name, volume := range map[string]bool{"mq-grant": false, "volume": true} {
		key := kit.CreateKey(t, a)
		b := s.CreateBroker(a, name, key)
		f := flow(t, s, b.Address(t, a), "q")
		g := aws.ToString(brokerGrant(t, a, key, volume).GrantId)
		keys(t, s, "suspend-grant", key, g)
		f.refused(t, key, "suspended")
		b.Await(t, a, mqtypes.BrokerStateCriticalActionRequired)
		if !volume { // one broker is enough to show that nothing is delivered
			f.silent(t, other, 10)
		}
		if out := keys(t, s, "usage", key); !strings.Contains(out, "; suspended since ") ||
			!strings.Contains(out, b.ID+" "+name) {
			t.Errorf("usage of the key: %s", out)
		}
		keys(t, s, "resume-grant", key, g)
		if volume {
			b.Await(t, a, mqtypes.BrokerStateRunning)
			continue
		}
		f.flows(t)
		b.Await(t, a, mqtypes.BrokerStateRunning)
		keys(t, s, "suspend-grant", key, g)
		s.Kill()
		s.Restart()
		a = s.AWS()
		b.Await(t, a, mqtypes.BrokerStateCriticalActionRequired)
		keys(t, s, "resume-grant", key, g)
		b.Await(t, a, mqtypes.BrokerStateRunning)
		other = flow(t, s, s.Main(), "open-after")
	}
	for _, name := range []string{"SuspendGrant", "ResumeGrant"} {
		list := a.Events(t, "EventName", name)
		if len(list) != 3 {
			t.Errorf("%d events %s", len(list), name)
		}
		for _, e := range list {
			list, _ := e.At("resources").([]any)
			if e.At("eventSource") != "coffer.internal" || len(list) != 1 ||
				kit.Event(list[0].(map[string]any)).At("ARN") !=
					e.At("requestParameters", "keyId") {
				t.Errorf("event %v", e)
			}
		}
	}
}

// TestRekey_D07 lets a broker go to another key by the command line, on the same
// connection; the key that it left can be disabled then.
func TestRekey_D07(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	old, key := kit.CreateKey(t, a), kit.CreateKey(t, a)
	b := s.CreateBroker(a, "orders", old)
	c := s.Dial(b.Address(t, a))
	out := channel(t, c, true)
	declare(t, out, "q")
	flows := func(key string) {
		t.Helper()
		if !confirmed(t, publish(t, out, "", "q", persistent("after "+key))) {
			t.Errorf("refused after %s", key)
		}
	}
	flows("the start")
	if text := keys(t, s, "rekey", b.ID, "--key", key); text !=
		"broker "+b.ID+" rests on "+key+"\n" {
		t.Errorf("printed %q", text)
	}
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(old)})
	flows("another key")
	keys(t, s, "rekey", b.ID, "--owned")
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(key)})
	flows("the key of AWS")
	if n := depth(t, out, "q"); n != 3 {
		t.Errorf("%d messages", n)
	}
}

// TestKeyUsage_D11_D12_D20 shows what uses a key before it is deleted, who used it
// last and what for, and the key that AWS owns, to those who use it and in no list
// of theirs.
func TestKeyUsage_D11_D12_D20(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := kit.CreateKey(t, a)
	kit.Do(t, a.KMS.CreateAlias, &kms.CreateAliasInput{
		AliasName: aws.String("alias/orders"), TargetKeyId: aws.String(key),
	})
	if out := keys(t, s, "usage", "alias/orders"); !strings.Contains(out, "none since ") ||
		!strings.Contains(out, "alias/orders") || !strings.Contains(out, "nothing that Coffer") {
		t.Errorf("an unused key: %s", out)
	}
	b := s.CreateBroker(a, "orders", key)
	volume := brokerGrant(t, a, key, true)
	s.Kill() // the last use was stored by nobody
	s.Restart()
	a = s.AWS()
	b.Await(t, a, mqtypes.BrokerStateRunning)
	out := keys(t, s, "usage", key)
	for _, want := range []string{
		key, "Enabled, managed by CUSTOMER", "Decrypt by mq.amazonaws.com",
		"aws:ebs:id=" + volume.Constraints.EncryptionContextSubset["aws:ebs:id"],
		b.ID + " orders of account ", "grants       2", aws.ToString(volume.GrantId),
		"in use       yes",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	last := kit.Do(t, a.KMS.GetKeyLastUsage, &kms.GetKeyLastUsageInput{KeyId: aws.String(key)})
	if last.KeyLastUsage.Operation != types.KeyLastUsageTrackingOperationDecrypt ||
		len(a.Events(t, "EventId", aws.ToString(last.KeyLastUsage.CloudTrailEventId))) != 1 {
		t.Errorf("last usage %+v", last.KeyLastUsage)
	}
	var report struct {
		Usage struct {
			InUse bool
			Users []struct{ Id, Type string }
		}
	}
	text := keys(t, s, "usage", key, "--output", "json")
	if err := json.Unmarshal([]byte(text), &report); err != nil || !report.Usage.InUse ||
		len(report.Usage.Users) != 1 || report.Usage.Users[0].Id != b.ID {
		t.Errorf("%+v %v of %s", report, err, text)
	}
	owned := keys(t, s, "list", "--owned")
	for _, want := range []string{":900000000001:key/", "main of account", "Decrypt by mq."} {
		if !strings.Contains(owned, want) {
			t.Errorf("no %q in %s", want, owned)
		}
	}
	for _, k := range kit.Do(t, a.KMS.ListKeys, &kms.ListKeysInput{}).Keys {
		if strings.Contains(owned, aws.ToString(k.KeyArn)) {
			t.Errorf("ListKeys shows %s", aws.ToString(k.KeyArn))
		}
	}
	kit.Do(t, a.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(b.ID)})
	if out := keys(t, s, "usage", key); !strings.Contains(out, "grants       0") ||
		!strings.Contains(out, "brokers      0") || !strings.Contains(out, "nothing that Coffer") {
		t.Errorf("after the broker: %s", out)
	}
}
