package story

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

const invalidKey = "RABBITMQ_INVALID_KMS_KEY"

// traffic is one publisher and one consumer with a few messages in its hands.
type traffic struct {
	conn     *amqp.Connection
	out      *amqp.Channel // in confirm mode
	in       *amqp.Channel
	list     <-chan amqp.Delivery
	held     []amqp.Delivery
	blocking <-chan amqp.Blocking
	queue    string
}

const (
	prefetch = 5
	waiting  = 20 // messages in the queue when the key goes
)

// flow fills a queue and lets a consumer have its prefetch of it.
func flow(t *testing.T, s *kit.Server, address, queue string) *traffic {
	t.Helper()
	f := &traffic{conn: s.Dial(address), queue: queue}
	f.blocking = notices(f.conn)
	f.out, f.in = channel(t, f.conn, true), channel(t, f.conn, false)
	declare(t, f.out, queue)
	for n := range waiting {
		if !confirmed(t, publish(t, f.out, "", queue, persistent(fmt.Sprint(n)))) {
			t.Fatalf("message %d is refused", n)
		}
	}
	f.list = consume(t, f.in, queue, prefetch)
	for range prefetch {
		f.held = append(f.held, kit.Receive(t, "a message", f.list))
	}
	return f
}

// refused shows that nothing flows, and that clients learn the key and why.
func (f *traffic) refused(t *testing.T, key, why string) {
	t.Helper()
	b := kit.Receive(t, "connection.blocked", f.blocking)
	if !b.Active || !strings.Contains(b.Reason, key) || !strings.Contains(b.Reason, why) {
		t.Errorf("blocked %+v, want the key and %q", b, why)
	}
	if confirmed(t, publish(t, f.out, "", f.queue, persistent("refused 0"))) {
		t.Error("a message is confirmed while the key cannot be used")
	}
	plain := channel(t, f.conn, false)
	closed := plain.NotifyClose(make(chan *amqp.Error, 1))
	publish(t, plain, "", f.queue, persistent("refused 0"))
	e := kit.Receive(t, "the channel's end", closed)
	if e.Code != amqp.ResourceError || !strings.Contains(e.Reason, key) ||
		!strings.Contains(e.Reason, why) {
		t.Errorf("channel closed with %+v, want 506, the key and %q", e, why)
	}
	// What was delivered can be acknowledged; it makes room that stays empty.
	for _, d := range f.held {
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	f.held = nil
}

// silent shows that no delivery came. It is asked after answers on the same
// connection, and after messages have gone through another broker.
func (f *traffic) silent(t *testing.T, other *traffic, n int) {
	t.Helper()
	kit.Wait(t, "the acknowledgements", func() bool {
		return depth(t, f.out, f.queue) == waiting-prefetch
	})
	for i := range n {
		m := persistent(fmt.Sprint(waiting + i))
		if !confirmed(t, publish(t, other.out, "", other.queue, m)) {
			t.Fatal("a broker under another key refuses a message")
		}
	}
	for _, d := range other.held {
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	other.held = nil
	drain(t, other.list, prefetch, waiting+n-1)
	if len(f.list) != 0 {
		t.Errorf("%d messages were delivered while the key cannot be used", len(f.list))
	}
	if got := depth(t, f.out, f.queue); got != waiting-prefetch {
		t.Errorf("%d messages in the queue, want %d", got, waiting-prefetch)
	}
}

// flows shows that the same connection goes on: what waited comes, and what is
// published now.
func (f *traffic) flows(t *testing.T) {
	t.Helper()
	kit.Wait(t, "connection.unblocked", func() bool {
		select {
		case b := <-f.blocking:
			return !b.Active
		default:
			return false
		}
	})
	if !confirmed(t, publish(t, f.out, "", f.queue, persistent(fmt.Sprint(waiting)))) {
		t.Error("a message is refused after the key is back")
	}
	drain(t, f.list, prefetch, waiting)
	if n := depth(t, f.out, f.queue); n != 0 || len(f.list) != 0 {
		t.Errorf("%d messages are left, %d too many came", n, len(f.list))
	}
}

// critical shows what the API says of a broker whose key cannot be used. What
// happened to the key is told at once, what the broker lacks once it asked.
func critical(t *testing.T, a *kit.AWS, b *kit.Broker, why string) {
	t.Helper()
	kit.Wait(t, "the reason: "+why, func() bool {
		out := b.Describe(t, a)
		if out.BrokerState != types.BrokerStateCriticalActionRequired ||
			len(out.ActionsRequired) != 1 {
			t.Fatalf("state %s, actions required %+v", out.BrokerState, out.ActionsRequired)
		}
		if code := aws.ToString(out.ActionsRequired[0].ActionRequiredCode); code != invalidKey {
			t.Fatalf("action required: %s", code)
		}
		return strings.Contains(aws.ToString(out.ActionsRequired[0].ActionRequiredInfo), why)
	})
	text := kit.Refused(t, a.MQ.RebootBroker,
		&mq.RebootBrokerInput{BrokerId: aws.String(b.ID)}, "BadRequestException")
	if !strings.Contains(text, invalidKey) || !strings.Contains(text, why) {
		t.Errorf("reboot refused with %q, want %q", text, why)
	}
}

// lock disables the key under traffic and enables it again (MQ-10, MQ-11).
func (p *promise) lock() {
	f := flow(p.T, p.server, p.broker.Address(p, p.aws), "locked-"+p.marker)
	other := flow(p.T, p.server, p.server.Main(), "open-"+p.marker)
	why := p.key + " is disabled"
	kit.Do(p, p.aws.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(p.key)})
	f.refused(p.T, p.key, why)
	critical(p.T, p.aws, p.broker, why)
	f.silent(p.T, other, 10)
	kit.Do(p, p.aws.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(p.key)})
	p.broker.Await(p, p.aws, types.BrokerStateRunning)
	f.flows(p.T)
	kit.Do(p, p.aws.MQ.RebootBroker, &mq.RebootBrokerInput{BrokerId: aws.String(p.broker.ID)})
	p.broker.Await(p, p.aws, types.BrokerStateRunning)
}

// restartLocked stops and kills the process while the key is disabled.
func (p *promise) restartLocked() {
	f := flow(p.T, p.server, p.broker.Address(p, p.aws), "sleeping-"+p.marker)
	kit.Do(p, p.aws.KMS.DisableKey, &kms.DisableKeyInput{KeyId: aws.String(p.key)})
	for _, end := range []func(){p.server.Kill, p.server.Stop} {
		end()
		p.nowhere()
		p.server.Restart()
		p.aws = p.server.AWS()
		critical(p.T, p.aws, p.broker, p.key+" is disabled")
	}
	conn := p.server.Dial(p.broker.Address(p, p.aws))
	in := channel(p.T, conn, false)
	if n := depth(p.T, in, f.queue); n != waiting {
		p.Errorf("%d messages in the queue, want %d", n, waiting)
	}
	list := consume(p.T, in, f.queue, waiting)
	if confirmed(p.T, publish(p.T, channel(p.T, conn, true), "", f.queue, persistent("x"))) {
		p.Error("a message is confirmed while the key cannot be used")
	}
	kit.Do(p, p.aws.KMS.EnableKey, &kms.EnableKeyInput{KeyId: aws.String(p.key)})
	for n := range waiting {
		d := kit.Receive(p, "a message", list)
		if number(d.Body) != n || d.Redelivered != (n < prefetch) {
			p.Errorf("message %q, redelivered %t; want %d, %t",
				d.Body, d.Redelivered, n, n < prefetch)
		}
		if err := d.Ack(false); err != nil {
			p.Fatal(err)
		}
	}
	p.broker.Await(p, p.aws, types.BrokerStateRunning)
}
