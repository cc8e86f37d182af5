package story

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"coffer/test/story/kit"
)

var (
	grantID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	volume  = regexp.MustCompile(`^vol-[0-9a-f]{17}$`)
)

// grants compares the two CreateGrant events with the fixtures, field by field
// (GRT-01, GRT-03, GRT-06, GRT-07, GRT-08, GRT-09, GRT-10).
func (p *promise) grants() {
	var events []kit.Event
	for _, e := range p.aws.Events(p, "ResourceName", p.key) {
		if e.At("eventName") == "CreateGrant" {
			events = append(events, e)
		}
	}
	if len(events) != 2 {
		p.Fatalf("%d CreateGrant events on the key, want 2", len(events))
	}
	if all := p.aws.Events(p, "EventName", "CreateGrant"); len(all) != 2 {
		p.Errorf("%d CreateGrant events in all, want 2", len(all))
	}
	grants := kit.Do(p, p.aws.KMS.ListGrants, &kms.ListGrantsInput{KeyId: aws.String(p.key)}).Grants
	if len(grants) != 2 {
		p.Fatalf("%d grants, want 2", len(grants))
	}
	p.asPublished(events, "mq-grant-single", "ebs-grant")
	p.brokerEvent(events[0])
	p.volumeEvent(events[1], grants)
	ids := []string{}
	for _, g := range grants {
		ids = append(ids, aws.ToString(g.GrantId))
	}
	for _, e := range events {
		id, _ := e.At("responseElements", "grantId").(string)
		if !grantID.MatchString(id) || !slices.Contains(ids, id) {
			p.Errorf("grant %q of the event is none of %q", id, ids)
		}
	}
}

// asPublished compares events with the published samples of these names.
func (p *promise) asPublished(events []kit.Event, names ...string) {
	p.Helper()
	for i, name := range names {
		// A root user's call has no session; CloudTrail's record contents reference
		// gives the session context and its console mark to sessions only.
		sample := fixture(p.T, "event-"+name+".json")
		delete(sample, "sessionCredentialFromConsole")
		delete(sample["userIdentity"].(map[string]any), "sessionContext")
		at := fmt.Sprintf("event %d (%s)", i, name)
		for _, f := range compare(at, map[string]any(sample), map[string]any(events[i])) {
			p.Error(f)
		}
		p.consistent(events[i])
	}
}

// consistent checks the values that both events share (GRT-10, GRT-11).
func (p *promise) consistent(e kit.Event) {
	p.Helper()
	const account, region = "000000000000", "us-east-1"
	resource := map[string]any{}
	if list, ok := e.At("resources").([]any); ok && len(list) == 1 {
		resource, _ = list[0].(map[string]any)
	}
	for name, got := range map[string][2]any{
		"awsRegion":          {e.At("awsRegion"), region},
		"recipientAccountId": {e.At("recipientAccountId"), account},
		"asked key":          {e.At("requestParameters", "keyId"), p.key},
		"granted key":        {e.At("responseElements", "keyId"), p.key},
		"resource":           {resource["ARN"], p.key},
		"resource's account": {resource["accountId"], account},
		"grantee":            {e.At("requestParameters", "granteePrincipal"), "mq.amazonaws.com"},
		"invokedBy":          {e.At("userIdentity", "invokedBy"), "mq.amazonaws.com"},
	} {
		if got[0] != got[1] {
			p.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
	if e.At("eventID") == e.At("requestID") {
		p.Error("the event and the request share an id")
	}
}

// brokerEvent checks the event of mq_grant (GRT-07, GRT-08).
func (p *promise) brokerEvent(e kit.Event) {
	p.Helper()
	const root = "arn:aws:iam::000000000000:root"
	agent, _ := e.At("userAgent").(string)
	address, _ := e.At("sourceIPAddress").(string)
	if !strings.Contains(agent, "aws-sdk-go-v2") || address != "127.0.0.1" && address != "::1" {
		p.Errorf("caller %q from %q", agent, address)
	}
	for name, got := range map[string][2]any{
		"type":        {e.At("userIdentity", "type"), "Root"},
		"principalId": {e.At("userIdentity", "principalId"), "000000000000"},
		"accountId":   {e.At("userIdentity", "accountId"), "000000000000"},
		"arn":         {e.At("userIdentity", "arn"), root},
		"accessKeyId": {e.At("userIdentity", "accessKeyId"), p.server.Env["AWS_ACCESS_KEY_ID"]},
		"retiring":    {e.At("requestParameters", "retiringPrincipal"), "mq.amazonaws.com"},
	} {
		if got[0] != got[1] {
			p.Errorf("%s is %v, want %v", name, got[0], got[1])
		}
	}
}

// volumeEvent checks the event of the volume's grant (GRT-06, GRT-09), and that
// the grant is the one that it tells of.
func (p *promise) volumeEvent(e kit.Event, grants []types.GrantListEntry) {
	p.Helper()
	id, _ := e.At("requestParameters", "constraints", "encryptionContextSubset",
		"aws:ebs:id").(string)
	if !volume.MatchString(id) {
		p.Errorf("volume %q", id)
	}
	if got := e.At("requestParameters", "retiringPrincipal"); got != "ec2.us-east-1.amazonaws.com" {
		p.Errorf("retiring principal %v", got)
	}
	for _, g := range grants {
		if aws.ToString(g.GrantId) != e.At("responseElements", "grantId") {
			name := aws.ToString(g.Name)
			if g.Constraints == nil && name != "mq_grant" && name != "mq_rabbit_grant" {
				p.Errorf("the broker's grant is named %q", name)
			}
			continue
		}
		if c := g.Constraints; c == nil || c.EncryptionContextSubset["aws:ebs:id"] != id {
			p.Errorf("constraints %+v, want %s", c, id)
		}
	}
}

// TestKeyRefused_MQ05 asks for brokers on keys that cannot be (MQ-05).
func TestKeyRefused_MQ05(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b := &kit.Broker{User: "story", Password: "pw-1234567890"}
	s.Secret(b.Password)
	rsa := kit.Do(t, a.KMS.CreateKey, &kms.CreateKeyInput{
		KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
	}).KeyMetadata
	mac := kit.Do(t, a.KMS.CreateKey, &kms.CreateKeyInput{
		KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac,
	}).KeyMetadata
	off := kit.CreateKey(t, a)
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(off)})
	good := kit.CreateKey(t, a)
	for name, c := range map[string]struct{ key, text string }{
		"RSA":      {aws.ToString(rsa.Arn), "not a symmetric encryption key"},
		"RSA id":   {aws.ToString(rsa.KeyId), "not a symmetric encryption key"},
		"HMAC":     {aws.ToString(mac.Arn), "not a symmetric encryption key"},
		"disabled": {off, "not enabled"},
		"other account": {
			strings.Replace(good, ":000000000000:", ":111122223333:", 1),
			"not in the account and Region",
		},
		"other Region": {
			strings.Replace(good, "us-east-1", "eu-west-1", 1), "not in the account and Region",
		},
		"unknown": {"arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
			"does not exist"},
	} {
		text := kit.Refused(t, a.MQ.CreateBroker, b.Request("refused", c.key),
			"BadRequestException")
		if !strings.Contains(text, c.text) {
			t.Errorf("%s: %q, want %q", name, text, c.text)
		}
	}
	for _, e := range a.Events(t, "EventName", "CreateGrant") {
		t.Errorf("a grant was made: %v", e)
	}
	refusals := 0
	for _, e := range a.Events(t, "EventName", "CreateBroker") {
		if e.At("errorCode") == "BadRequestException" {
			refusals++
		}
	}
	if refusals != 7 {
		t.Errorf("%d refusals on the trail, want 7", refusals)
	}
}
