package story

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp10 "github.com/Azure/go-amqp"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"

	"coffer/test/story/kit"
)

// TestAMQP10Locked_MQ10_MQ11 tells of a broker under a key of its own.
func TestAMQP10Locked_MQ10_MQ11(t *testing.T) {
	t.Parallel()
	p := &promise{T: t, server: start(t), marker: rand.Text()}
	p.aws = p.server.AWS()
	p.create()
	p.lock10()
}

// lock10 disables the key under traffic of AMQP 1.0 and enables it again: messages are
// rejected with the reason, what was delivered can be settled, and on the same links
// everything goes on, in order and without loss (MQ-10, MQ-11).
func (p *promise) lock10() {
	address := p.broker.Address(p, p.aws)
	queue := "locked10-" + p.marker
	declare(p.T, channel(p.T, p.server.Dial(address), false), queue)
	l := session10(p.T, p.server.Dial10(address))
	out := l.sender("/queues/" + queue)
	for n := range waiting {
		if err := l.send(out, fmt.Sprint(n)); err != nil {
			p.Fatal(err)
		}
	}
	in := l.receiver("/queues/"+queue, prefetch)
	held := []*amqp10.Message{l.receive(in), l.receive(in)}
	kit.Do(p, p.aws.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(p.key)})
	err := l.send(out, "refused 0")
	e, rejected := errors.AsType[*amqp10.Error](err)
	if !rejected || e.Condition != amqp10.ErrCondUnauthorizedAccess ||
		!strings.Contains(e.Description, p.key+" is disabled") {
		p.Errorf("a message gets %v, want the key and the reason", err)
	}
	ctx, cancel := context.WithTimeout(p.Context(), kit.Patience)
	defer cancel()
	for _, m := range held {
		if err := in.AcceptMessage(ctx, m); err != nil {
			p.Fatal(err)
		}
	}
	kit.Do(p, p.aws.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(p.key)})
	p.broker.Await(p, p.aws, types.BrokerStateRunning)
	if err := l.send(out, fmt.Sprint(waiting)); err != nil {
		p.Error(err)
	}
	for n := len(held); n <= waiting; n++ {
		m := l.receive(in)
		if got := string(m.GetData()); got != fmt.Sprint(n) {
			p.Fatalf("message %q, want %d", got, n)
		}
		if err := in.AcceptMessage(ctx, m); err != nil {
			p.Fatal(err)
		}
	}
}
