package story

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	amqp "github.com/rabbitmq/amqp091-go"

	mqtypes "github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestNowhere_MQ01 publishes to single instances and clusters under every choice of a key,
// and finds nothing of the messages in any file, while the process runs and after a crash
// (MQ-01).
func TestNowhere_MQ01(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	marker := "marker-" + rand.Text()
	s.Secret(marker)
	own := kit.CreateKey(t, a)
	for _, mode := range []mqtypes.DeploymentMode{mqtypes.DeploymentModeSingleInstance,
		mqtypes.DeploymentModeClusterMultiAz} {
		for _, o := range []*mqtypes.EncryptionOptions{
			nil, {UseAwsOwnedKey: aws.Bool(true)}, {UseAwsOwnedKey: aws.Bool(false)},
			{UseAwsOwnedKey: aws.Bool(false), KmsKeyId: aws.String(own)},
		} {
			b := &kit.Broker{User: "story", Password: "pw-" + rand.Text()}
			s.Secret(b.Password)
			in := b.Request("b-"+rand.Text(), "")
			in.DeploymentMode, in.EncryptionOptions = mode, o
			b.ID = aws.ToString(kit.Do(t, a.MQ.CreateBroker, in).BrokerId)
			b.Await(t, a, mqtypes.BrokerStateRunning)
			ch := channel(t, s.Dial(b.Address(t, a)), true)
			declare(t, ch, marker)
			for range 20 {
				m := persistent("body " + marker)
				m.Headers, m.CorrelationId = amqp.Table{marker: marker}, marker
				if !confirmed(t, publish(t, ch, "", marker, m)) {
					t.Fatal("a message is refused")
				}
			}
		}
	}
	for _, end := range []func(){func() {}, s.Kill} {
		end()
		if found := kit.Scan(t, s.Data(), marker); len(found) != 0 {
			t.Errorf("the messages stand in %v", found)
		}
	}
}
