package story

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestCluster_GRT02 makes a cluster of three nodes on a customer key: five CreateGrant
// events as Amazon MQ publishes them, three volumes, one endpoint that serves; the key
// locks it and opens it, also after a crash (GRT-02, GRT-04 to GRT-10).
func TestCluster_GRT02_GRT04_GRT05_GRT06_GRT07_GRT08_GRT09_GRT10(t *testing.T) {
	t.Parallel()
	p := &promise{T: t, server: start(t), marker: rand.Text()}
	p.aws = p.server.AWS()
	p.key = kit.CreateKey(t, p.aws)
	b := &kit.Broker{User: "story", Password: "pw-" + rand.Text()}
	p.server.Secret(b.Password)
	in := b.Request("cluster", p.key)
	in.DeploymentMode = types.DeploymentModeClusterMultiAz
	b.ID = aws.ToString(kit.Do(t, p.aws.MQ.CreateBroker, in).BrokerId)
	p.broker = b
	if out := b.Await(t, p.aws, types.BrokerStateRunning); out.DeploymentMode !=
		types.DeploymentModeClusterMultiAz {
		t.Errorf("deployment mode %s", out.DeploymentMode)
	}
	p.fiveGrants()

	f := flow(t, p.server, b.Address(t, p.aws), "q")
	why := p.key + " is disabled"
	kit.Do(t, p.aws.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(p.key)})
	f.refused(t, p.key, why)
	critical(t, p.aws, b, why)
	kit.Do(t, p.aws.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(p.key)})
	b.Await(t, p.aws, types.BrokerStateRunning)
	f.flows(t)
	f = flow(t, p.server, b.Address(t, p.aws), "after")
	p.server.Kill()
	p.server.Restart()
	p.aws = p.server.AWS()
	b.Await(t, p.aws, types.BrokerStateRunning)
	ch := channel(t, p.server.Dial(b.Address(t, p.aws)), false)
	drain(t, consume(t, ch, f.queue, 500), 0, waiting-1)
}

func (p *promise) fiveGrants() {
	p.Helper()
	var events []kit.Event
	for _, e := range p.aws.Events(p, "ResourceName", p.key) {
		if e.At("eventName") == "CreateGrant" {
			events = append(events, e)
		}
	}
	if len(events) != 5 {
		p.Fatalf("%d CreateGrant events on the key, want 5", len(events))
	}
	p.asPublished(events, "mq-grant-cluster", "mq-rabbit-grant", "ebs-grant", "ebs-grant",
		"ebs-grant")
	grants := kit.Do(p, p.aws.KMS.ListGrants, &kms.ListGrantsInput{KeyId: aws.String(p.key)}).Grants
	if len(grants) != 5 {
		p.Errorf("%d grants, want 5", len(grants))
	}
	p.brokerEvent(events[0])
	p.brokerEvent(events[1])
	volumes, ids := map[any]bool{}, map[any]bool{}
	for i, e := range events {
		ids[e.At("responseElements", "grantId")] = true
		if i > 1 {
			p.volumeEvent(e, grants)
			volumes[e.At("requestParameters", "constraints", "encryptionContextSubset",
				"aws:ebs:id")] = true
		}
	}
	for _, g := range grants {
		if !ids[aws.ToString(g.GrantId)] {
			p.Errorf("grant %s has no event", aws.ToString(g.GrantId))
		}
	}
	if len(volumes) != 3 || len(ids) != 5 {
		p.Errorf("volumes %v, grants %v", volumes, ids)
	}
}
