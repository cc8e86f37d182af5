package kit

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
)

// Broker is one that the test made, and its user.
type Broker struct {
	ID, User, Password string
}

// CreateBroker makes a broker and waits until it runs. Without a key it is one
// under the AWS-owned key.
func (s *Server) CreateBroker(a *AWS, name, key string) *Broker {
	s.t.Helper()
	b := &Broker{User: "story", Password: "pw-" + rand.Text()}
	s.Secret(b.Password)
	out := Do(s.t, a.MQ.CreateBroker, b.Request(name, key))
	b.ID = aws.ToString(out.BrokerId)
	b.Await(s.t, a, types.BrokerStateRunning)
	return b
}

// Request asks for a single instance on a key.
func (b *Broker) Request(name, key string) *mq.CreateBrokerInput {
	in := &mq.CreateBrokerInput{
		BrokerName: aws.String(name), EngineType: types.EngineTypeRabbitmq,
		DeploymentMode:     types.DeploymentModeSingleInstance,
		HostInstanceType:   aws.String("mq.m5.large"),
		PubliclyAccessible: aws.Bool(false), AutoMinorVersionUpgrade: aws.Bool(true),
		Users: []types.User{
			{Username: aws.String(b.User), Password: aws.String(b.Password)}},
	}
	if key != "" {
		in.EncryptionOptions = &types.EncryptionOptions{
			UseAwsOwnedKey: aws.Bool(false), KmsKeyId: aws.String(key)}
	}
	return in
}

// Describe gives what DescribeBroker says.
func (b *Broker) Describe(t testing.TB, a *AWS) *mq.DescribeBrokerOutput {
	t.Helper()
	return Do(t, a.MQ.DescribeBroker, &mq.DescribeBrokerInput{BrokerId: aws.String(b.ID)})
}

// Await waits for a state.
func (b *Broker) Await(t testing.TB, a *AWS, state types.BrokerState) *mq.DescribeBrokerOutput {
	t.Helper()
	var out *mq.DescribeBrokerOutput
	Wait(t, "state "+string(state), func() bool {
		out = b.Describe(t, a)
		return out.BrokerState == state
	})
	return out
}

// Address is where the broker's user connects.
func (b *Broker) Address(t testing.TB, a *AWS) string {
	t.Helper()
	out := b.Describe(t, a)
	if len(out.BrokerInstances) != 1 || len(out.BrokerInstances[0].Endpoints) != 1 {
		t.Fatalf("instances %+v, want one with one endpoint", out.BrokerInstances)
	}
	return Address(out.BrokerInstances[0].Endpoints[0], b.User, b.Password)
}

// CreateKey makes a symmetric key and gives its ARN.
func CreateKey(t testing.TB, a *AWS) string {
	t.Helper()
	return aws.ToString(Do(t, a.KMS.CreateKey, &kms.CreateKeyInput{}).KeyMetadata.Arn)
}
