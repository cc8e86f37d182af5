package story

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	mqtypes "github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// The ways to choose a broker's key.
const (
	ownKey     = "customer"
	managedKey = "aws-mq"
	awsOwned   = "AWS-owned"
)

// loss is one way to lose a key or a grant on it.
type loss struct {
	name  string
	grant string                   // label of the grant that goes; "" = the whole key
	apply func(*lossCase) error    // takes it away
	back  []func(*lossCase) error  // gives it back; the last one opens the broker
	why   func(c *lossCase) string // what the reason says
	no    func(c *lossCase) bool   // whether it is refused: whose key it is decides
}

// lossCase is a broker under a key, and what is about to be lost.
type lossCase struct {
	*testing.T
	loss

	server *kit.Server
	aws    *kit.AWS
	choice string
	mode   mqtypes.DeploymentMode
	key    string // ARN
	broker *kit.Broker
	grants map[string]types.GrantListEntry // of the broker, by label
}

// TestKeyLoss_MQ08_MQ10_MQ11_GRT20 is every way to lose a key or a grant, of single
// instances and clusters, under each choice of a key: what the API tells, what clients get,
// and what brings the broker back with all its messages. An account can lose a key of its
// own in every way, grants on aws/mq too, and nothing under a key that AWS owns (MQ-03).
func TestKeyLoss_MQ08_MQ10_MQ11_GRT20(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	for _, mode := range []mqtypes.DeploymentMode{mqtypes.DeploymentModeSingleInstance,
		mqtypes.DeploymentModeClusterMultiAz} {
		for _, choice := range []string{ownKey, managedKey, awsOwned} {
			for _, l := range losses(mode) {
				if choice == awsOwned && l.grant != "" && l.grant != "mq_grant" {
					continue // it has no grants: one that is not there stands for all
				}
				t.Run(fmt.Sprintf("%s/%s/%s", l.name, mode, choice), func(t *testing.T) {
					c := &lossCase{T: t, loss: l, server: s, aws: a, choice: choice, mode: mode}
					c.run()
				})
			}
		}
	}
}

// losses gives every loss that there is in a deployment.
func losses(mode mqtypes.DeploymentMode) []loss {
	notOwn := func(c *lossCase) bool { return c.choice != ownKey }
	list := []loss{{
		name: "DisableKey", apply: (*lossCase).disable, back: []func(*lossCase) error{
			(*lossCase).enable},
		why: func(c *lossCase) string { return c.key + " is disabled" }, no: notOwn,
	}, {
		name: "ScheduleKeyDeletion", apply: (*lossCase).schedule, back: []func(*lossCase) error{
			(*lossCase).cancel, (*lossCase).enable},
		why: func(c *lossCase) string { return c.key + " is pending deletion" }, no: notOwn,
	}, {
		name: "PutKeyPolicy", apply: (*lossCase).deny, back: []func(*lossCase) error{
			(*lossCase).allow},
		why: func(c *lossCase) string { return "the key policy denies it" }, no: notOwn,
	}}
	labels := []string{"mq_grant", "volume 1"}
	if mode == mqtypes.DeploymentModeClusterMultiAz {
		labels = []string{"mq_grant", "mq_rabbit_grant", "volume 1", "volume 2", "volume 3"}
	}
	hidden := func(c *lossCase) bool { return c.choice == awsOwned }
	for _, label := range labels {
		why := func(c *lossCase) string { return c.lostName() + " was revoked or retired" }
		list = append(list,
			loss{name: "RevokeGrant " + label, grant: label, apply: (*lossCase).revoke, why: why,
				no: hidden},
			loss{name: "RetireGrant " + label, grant: label, apply: (*lossCase).retire, why: why,
				no: hidden})
	}
	return list
}

func (c *lossCase) run() {
	c.create()
	f := flow(c.T, c.server, c.broker.Address(c, c.aws), "q")
	err := c.apply(c)
	if c.no(c) {
		c.unharmed(err, f)
		return
	}
	if err != nil {
		c.Fatal(err)
	}
	c.lost(f)
	if c.grant != "" {
		c.forGood(f)
		return
	}
	for i, back := range c.back {
		if err := back(c); err != nil {
			c.Fatal(err)
		}
		if i < len(c.back)-1 { // as after CancelKeyDeletion, which leaves the key disabled
			critical(c.T, c.aws, c.broker, c.key+" is disabled")
		}
	}
	c.broker.Await(c, c.aws, mqtypes.BrokerStateRunning)
	f.flows(c.T)
	kit.Do(c, c.aws.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(c.broker.ID)})
	if left := c.listGrants(); len(left) != 0 {
		c.Errorf("%d grants are left", len(left))
	}
}

// create makes the broker under its choice of a key.
func (c *lossCase) create() {
	c.Helper()
	before := map[string]bool{}
	c.broker = &kit.Broker{User: "story", Password: "pw-" + rand.Text()}
	c.server.Secret(c.broker.Password)
	if c.choice == ownKey {
		c.key = kit.CreateKey(c, c.aws)
	}
	in := c.broker.Request("b-"+rand.Text(), c.key)
	in.DeploymentMode = c.mode
	if c.choice == managedKey {
		in.EncryptionOptions = &mqtypes.EncryptionOptions{UseAwsOwnedKey: aws.Bool(false)}
		d, err := c.aws.KMS.DescribeKey(c.Context(),
			&kms.DescribeKeyInput{KeyId: aws.String("alias/aws/mq")})
		if err == nil { // not before the first broker under it
			c.key = aws.ToString(d.KeyMetadata.Arn)
			for _, g := range c.listGrants() {
				before[aws.ToString(g.GrantId)] = true
			}
		}
	}
	c.broker.ID = aws.ToString(kit.Do(c, c.aws.MQ.CreateBroker, in).BrokerId)
	shown := c.broker.Await(c, c.aws, mqtypes.BrokerStateRunning).EncryptionOptions
	if aws.ToBool(shown.UseAwsOwnedKey) != (c.choice == awsOwned) {
		c.Errorf("encryption options %+v", shown)
	}
	if c.choice == awsOwned {
		c.key = c.hiddenKey()
		return
	}
	c.key = aws.ToString(shown.KmsKeyId)
	c.grants = map[string]types.GrantListEntry{}
	n := 0
	for _, g := range c.listGrants() {
		label := aws.ToString(g.Name)
		if before[aws.ToString(g.GrantId)] {
			continue
		}
		if g.Constraints != nil {
			n++
			label = fmt.Sprint("volume ", n)
		}
		c.grants[label] = g
	}
	if want := len(losses(c.mode))/2 - 1; len(c.grants) != want {
		c.Fatalf("%d grants, want %d", len(c.grants), want)
	}
}

var anyKeyARN = regexp.MustCompile(`arn:aws:kms:us-east-1:900000000001:key/[0-9a-f-]{36}`)

// hiddenKey gives the ARN of the key that AWS owns, from the text of a refusal: nothing
// else tells it (MQ-02).
func (c *lossCase) hiddenKey() string {
	c.Helper()
	text := kit.Refused(c, c.aws.KMS.DescribeKey, &kms.DescribeKeyInput{
		KeyId: aws.String("arn:aws:kms:us-east-1:900000000001:alias/aws/mq"),
	}, "AccessDeniedException")
	for _, k := range kit.Do(c, c.aws.KMS.ListKeys, &kms.ListKeysInput{}).Keys {
		if strings.Contains(aws.ToString(k.KeyArn), ":900000000001:") {
			c.Errorf("ListKeys shows %s", aws.ToString(k.KeyArn))
		}
	}
	return anyKeyARN.FindString(text)
}

func (c *lossCase) listGrants() []types.GrantListEntry {
	c.Helper()
	var list []types.GrantListEntry
	pages := kms.NewListGrantsPaginator(c.aws.KMS, &kms.ListGrantsInput{KeyId: &c.key})
	for pages.HasMorePages() {
		out, err := pages.NextPage(c.Context())
		if err != nil {
			c.Fatal(err)
		}
		list = append(list, out.Grants...)
	}
	return list
}

// lostName is how a reason names the grant.
func (c *lossCase) lostName() string {
	g := c.grants[c.grant]
	if g.Constraints != nil {
		return "the grant of " + g.Constraints.EncryptionContextSubset["aws:ebs:id"]
	}
	return aws.ToString(g.Name)
}

// unharmed requires that the loss was refused, and that the broker serves on.
func (c *lossCase) unharmed(err error, f *traffic) {
	c.Helper()
	if code, _ := kit.Fault(err); !slices.Contains([]string{"AccessDeniedException",
		"NotFoundException"}, code) {
		c.Errorf("%s of a key that is not the account's: %v", c.name, err)
	}
	if out := c.broker.Describe(c, c.aws); out.BrokerState != mqtypes.BrokerStateRunning {
		c.Errorf("state %s", out.BrokerState)
	}
	for _, d := range f.held {
		if err := d.Ack(false); err != nil {
			c.Fatal(err)
		}
	}
	if !confirmed(c.T, publish(c.T, f.out, "", f.queue, persistent(fmt.Sprint(waiting)))) {
		c.Error("a message is refused")
	}
	drain(c.T, f.list, prefetch, waiting)
	kit.Do(c, c.aws.MQ.RebootBroker, &mq.RebootBrokerInput{BrokerId: aws.String(c.broker.ID)})
	c.broker.Await(c, c.aws, mqtypes.BrokerStateRunning)
	kit.Do(c, c.aws.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(c.broker.ID)})
}

// lost requires that clients and the API learn of the loss, and that nothing is delivered.
func (c *lossCase) lost(f *traffic) {
	c.Helper()
	critical(c.T, c.aws, c.broker, c.why(c))
	f.refused(c.T, c.key, "")
	// What is answered on the consumer's channel comes after its acknowledgements, which
	// made room; what were delivered would not be counted any more.
	for _, ch := range []func() int{
		func() int { return depth(c.T, f.in, f.queue) },
		func() int { return depth(c.T, f.out, f.queue) },
	} {
		if n := ch(); n != waiting-prefetch {
			c.Errorf("%d messages wait in the queue, want %d", n, waiting-prefetch)
		}
	}
	if n := len(f.list); n != 0 {
		c.Errorf("%d messages were delivered", n)
	}
}

// forGood requires that nothing brings a broker back that lost a grant, and that it can
// be deleted.
func (c *lossCase) forGood(f *traffic) {
	c.Helper()
	kept := c.listGrants()
	g := c.grants[c.grant]
	look := &kms.CreateGrantInput{KeyId: &c.key, Name: given(g.Name),
		Operations: g.Operations, Constraints: g.Constraints,
		GranteePrincipal: g.GranteePrincipal, RetiringPrincipal: g.RetiringPrincipal}
	if c.choice == ownKey {
		kit.Do(c, c.aws.KMS.CreateGrant, look)
		for _, do := range []func(*lossCase) error{(*lossCase).disable, (*lossCase).enable} {
			if err := do(c); err != nil {
				c.Fatal(err)
			}
		}
	} else {
		kit.Refused(c, c.aws.KMS.CreateGrant, look, "AccessDeniedException")
	}
	critical(c.T, c.aws, c.broker, c.why(c))
	if n := depth(c.T, f.out, f.queue); n != waiting-prefetch {
		c.Errorf("%d messages wait in the queue, want %d", n, waiting-prefetch)
	}
	kit.Do(c, c.aws.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(c.broker.ID)})
	want := 1 // by hand
	if c.choice != ownKey {
		want = len(kept) - len(c.grants) + 1
	}
	if left := c.listGrants(); len(left) != want {
		c.Errorf("%d grants are left, want %d", len(left), want)
	}
}
