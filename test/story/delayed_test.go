package story

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestDelayedRevocation_MQ12_GRT21: asked to be as late as AWS, a broker works on with
// the key it has, until the delay is over or it starts again.
func TestDelayedRevocation_MQ12_GRT21(t *testing.T) {
	t.Parallel()
	s := start(t, "--revocation", "delayed", "--revocation-delay", "24h")
	a := s.AWS()
	key := kit.CreateKey(t, a)
	b := s.CreateBroker(a, "late", key)
	b.Await(t, a, types.BrokerStateRunning)
	ch := channel(t, s.Dial(b.Address(t, a)), true)
	declare(t, ch, "q")
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(key)})
	if !confirmed(t, publish(t, ch, "", "q", persistent("after"))) {
		t.Error("the broker is locked before the delay is over")
	}
	if got := b.Describe(t, a); got.BrokerState != types.BrokerStateRunning {
		t.Errorf("it is %s", got.BrokerState)
	}
	s.Stop()
	s.Restart()
	a = s.AWS()
	critical(t, a, b, key+" is disabled")
}
