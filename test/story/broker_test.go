package story

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

const messages = 10_000

// promise is one broker on one customer key, through its whole life.
type promise struct {
	*testing.T // of the chapter that is told

	server *kit.Server
	aws    *kit.AWS
	key    string // ARN
	broker *kit.Broker
	marker string
	queue  string
}

// TestPromise_MQ01_MQ04_MQ10_MQ11_GRT01_GRT12_KMS24 tells the core promise,
// chapter by chapter; each goes on where the one before ended.
func TestPromise_MQ01_MQ04_MQ10_MQ11_GRT01_GRT12_KMS24(t *testing.T) {
	t.Parallel()
	p := &promise{T: t, server: start(t), marker: rand.Text()}
	p.aws = p.server.AWS()
	p.queue = "queue-" + p.marker
	p.server.Secret(p.marker) // nor is it for the log
	for _, chapter := range []struct {
		name string
		tell func(*promise)
	}{
		{"create on a key", (*promise).create},
		{"two grants", (*promise).grants},
		{"publish, kill, restart, drain", (*promise).survive},
		{"the key locks and opens", (*promise).lock},
		{"restart while locked", (*promise).restartLocked},
		{"delete", (*promise).remove},
		{"everything is on the trail", (*promise).trail},
	} {
		ok := t.Run(chapter.name, func(t *testing.T) {
			p.T = t
			chapter.tell(p)
		})
		if p.T = t; !ok {
			return // the next would begin where nothing ended
		}
	}
	p.server.Stop()
	p.nowhere()
}

// create makes the key and the broker (MQ-04), whose endpoint is its own.
func (p *promise) create() {
	p.key = kit.CreateKey(p, p.aws)
	p.broker = p.server.CreateBroker(p.aws, "story", p.key)
	out := p.broker.Describe(p, p.aws)
	o := out.EncryptionOptions
	if aws.ToBool(o.UseAwsOwnedKey) || aws.ToString(o.KmsKeyId) != p.key {
		p.Errorf("encryption options %+v", o)
	}
	if len(out.ActionsRequired) != 0 {
		p.Errorf("actions required %+v", out.ActionsRequired)
	}
	address, err := url.Parse(p.broker.Address(p, p.aws))
	if err != nil {
		p.Fatal(err)
	}
	main, err := url.Parse(p.server.Main())
	if err != nil {
		p.Fatal(err)
	}
	if address.Scheme != "amqps" || address.Hostname() != "localhost" ||
		address.Port() == main.Port() {
		p.Errorf("endpoint %s, broker main's is %s", address.Host, main.Host)
	}
	if _, err := p.server.TryDial(p.server.Main()); err != nil {
		p.Errorf("broker main: %v", err)
	}
	other := strings.Replace(p.server.Main(), main.Host, address.Host, 1)
	if _, err := p.server.TryDial(other); err == nil {
		p.Error("the user of broker main may enter another broker")
	}
}

// survive confirms messages, kills the process, and takes them out again.
func (p *promise) survive() {
	ch := channel(p.T, p.server.Dial(p.broker.Address(p, p.aws)), true)
	declare(p.T, ch, p.queue)
	exchange := "exchange-" + p.marker
	if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		p.Fatal(err)
	}
	if err := ch.QueueBind(p.queue, "key."+p.marker+".#", exchange, false, nil); err != nil {
		p.Fatal(err)
	}
	waiting := make([]*amqp.DeferredConfirmation, 0, messages)
	for n := range messages {
		m := persistent(fmt.Sprintf("body %s %d", p.marker, n))
		m.Headers = amqp.Table{"header-" + p.marker: p.marker}
		m.CorrelationId, m.ReplyTo = p.marker, p.marker
		waiting = append(waiting, publish(p.T, ch, exchange, "key."+p.marker+".a", m))
	}
	for n, d := range waiting {
		if !confirmed(p.T, d) {
			p.Fatalf("message %d is refused", n)
		}
	}
	p.nowhere()
	p.server.Kill()
	p.nowhere()
	p.server.Restart()
	p.aws = p.server.AWS()
	p.broker.Await(p, p.aws, types.BrokerStateRunning)
	ch = channel(p.T, p.server.Dial(p.broker.Address(p, p.aws)), false)
	list := consume(p.T, ch, p.queue, 500)
	drain(p.T, list, 0, messages-1)
	if n := depth(p.T, ch, p.queue); n != 0 || len(list) != 0 {
		p.Errorf("%d messages are left, %d came twice", n, len(list))
	}
}

// nowhere reads every file of the directory (MQ-01). That the reading finds
// what is there is shown by a word that must be in one file.
func (p *promise) nowhere() {
	p.Helper()
	for _, word := range []string{p.marker, p.broker.Password, "header-" + p.marker[:12]} {
		if found := kit.Scan(p, p.server.Data(), word); len(found) != 0 {
			p.Errorf("%.8q… stands in %v", word, found)
		}
	}
	if found := kit.Scan(p, p.server.Data(), "aws_secret_access_key"); len(found) != 1 {
		p.Errorf("the control word stands in %v", found)
	}
}

// remove deletes the broker, which retires its grants (GRT-12).
func (p *promise) remove() {
	address := p.broker.Address(p, p.aws)
	kit.Do(p, p.aws.MQ.DeleteBroker, &mq.DeleteBrokerInput{BrokerId: aws.String(p.broker.ID)})
	left := kit.Do(p, p.aws.KMS.ListGrants, &kms.ListGrantsInput{KeyId: aws.String(p.key)}).Grants
	if len(left) != 0 {
		p.Errorf("grants are left: %+v", left)
	}
	kit.Wait(p, "the end of the broker", func() bool {
		_, err := p.aws.MQ.DescribeBroker(p.Context(),
			&mq.DescribeBrokerInput{BrokerId: aws.String(p.broker.ID)})
		code, _ := kit.Fault(err)
		return code == "NotFoundException"
	})
	kit.Wait(p, "the end of its listener", func() bool {
		conn, err := p.server.TryDial(address)
		if err == nil {
			_ = conn.Close() // it ends anyway
		}
		return err != nil
	})
}

// trail finds each call and each denial that was made (KMS-24), with its
// request id, name and error.
func (p *promise) trail() {
	id := aws.String(p.key)
	text := kit.Refused(p, p.aws.KMS.Decrypt, &kms.DecryptInput{
		KeyId: id, CiphertextBlob: p.encrypted(), EncryptionContext: map[string]string{"a": "c"},
	}, "InvalidCiphertextException")
	if text != "" {
		p.Errorf("a wrong context is told apart: %q", text)
	}
	kit.Refused(p, p.aws.KMS.DescribeKey, &kms.DescribeKeyInput{
		KeyId: aws.String("00000000-0000-0000-0000-000000000000")}, "NotFoundException")
	calls := p.server.Calls.All()
	events := map[string]kit.Event{}
	for _, e := range p.aws.Events(p, "", "") {
		if at, ok := e.At("requestID").(string); ok {
			events[at] = e
		}
	}
	denials := 0
	for _, call := range calls {
		e := events[call.RequestID]
		code, _ := e.At("errorCode").(string)
		if e.At("eventName") != call.Operation || code != call.Code {
			p.Errorf("%+v: event %v %q", call, e.At("eventName"), code)
		}
		if call.Code != "" {
			denials++
		}
	}
	if len(calls) < 20 || denials < 4 {
		p.Errorf("%d calls, %d denials: the story has more", len(calls), denials)
	}
}

func (p *promise) encrypted() []byte {
	return kit.Do(p, p.aws.KMS.Encrypt, &kms.EncryptInput{
		KeyId: aws.String(p.key), Plaintext: []byte("x"),
		EncryptionContext: map[string]string{"a": "b"},
	}).CiphertextBlob
}

// TestAWSOwnedKey_MQ02 makes a broker without a key: it has one that the
// account does not see (MQ-02), and no grants that it would see (GRT-12).
func TestAWSOwnedKey_MQ02(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	b := s.CreateBroker(a, "owned", "")
	o := b.Describe(t, a).EncryptionOptions
	if !aws.ToBool(o.UseAwsOwnedKey) || o.KmsKeyId != nil {
		t.Errorf("useAwsOwnedKey %v, kmsKeyId %v", aws.ToBool(o.UseAwsOwnedKey), o.KmsKeyId)
	}
	if keys := kit.Do(t, a.KMS.ListKeys, &kms.ListKeysInput{}).Keys; len(keys) != 0 {
		t.Errorf("ListKeys shows %d keys", len(keys))
	}
	if events := a.Events(t, "EventName", "CreateGrant"); len(events) != 0 {
		t.Errorf("%d CreateGrant events of a key that AWS owns", len(events))
	}
	ch := channel(t, s.Dial(b.Address(t, a)), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Error("a message is refused")
	}
	names := []string{}
	for _, row := range kit.Do(t, a.MQ.ListBrokers, &mq.ListBrokersInput{}).BrokerSummaries {
		names = append(names, aws.ToString(row.BrokerName))
	}
	slices.Sort(names)
	if want := []string{"main", "owned"}; !slices.Equal(names, want) {
		t.Errorf("brokers %q, want %q", names, want)
	}
	if _, err := a.Trail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{}); err != nil {
		t.Error(err)
	}
}
