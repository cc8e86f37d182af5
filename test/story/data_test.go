package story

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// selector selects data events of queues whose ARN begins so, of the names.
func selector(prefix string, names ...string) []types.AdvancedEventSelector {
	fields := []types.AdvancedFieldSelector{
		{Field: aws.String("eventCategory"), Equals: []string{"Data"}},
		{Field: aws.String("resources.type"), Equals: []string{"AWS::AmazonMQ::Queue"}},
		{Field: aws.String("resources.ARN"), StartsWith: []string{prefix}},
	}
	if len(names) > 0 {
		fields = append(fields, types.AdvancedFieldSelector{
			Field: aws.String("eventName"), Equals: names})
	}
	return []types.AdvancedEventSelector{{FieldSelectors: fields}}
}

const secretBody = "a body that nobody may see"

// TestDataEvents_CT06_D05: who published, got and settled messages of a queue is on
// record when an event data store selects it, never what was in them, and nothing of
// other queues; it outlives a crash, and coffer finds its rows whole.
func TestDataEvents_CT06_D05(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	list := kit.Do(t, a.MQ.ListBrokers, &mq.ListBrokersInput{}).BrokerSummaries
	arn := aws.ToString(list[0].BrokerArn)
	ch := channel(t, s.Dial(s.Main()), true)
	round(t, ch, "watched") // nothing is selected yet
	made := kit.Do(t, a.Trail.CreateEventDataStore, &cloudtrail.CreateEventDataStoreInput{
		Name: aws.String("messages"), TerminationProtectionEnabled: aws.Bool(false),
		AdvancedEventSelectors: selector(arn + "/%2F/watched"),
	})
	round(t, ch, "watched")
	round(t, ch, "other")
	onRecord(t, a, arn, "3 3 3")
	for _, value := range []string{arn + "/%2F/watched", arn, "main"} {
		if n := len(a.Events(t, "ResourceName", value)); n < 3 {
			t.Errorf("%d events of %s", n, value)
		}
	}
	if slices.ContainsFunc(a.Events(t, "", ""), func(e kit.Event) bool {
		return e.At("eventCategory") == "Data"
	}) {
		t.Error("a walk without attribute meets data events")
	}
	s.Kill()
	s.Restart()
	a = s.AWS()
	onRecord(t, a, arn, "3 3 3")
	ch = channel(t, s.Dial(s.Main()), true)
	round(t, ch, "watched")
	onRecord(t, a, arn, "6 6 6")
	kit.Do(t, a.Trail.UpdateEventDataStore, &cloudtrail.UpdateEventDataStoreInput{
		EventDataStore:         made.EventDataStoreArn,
		AdvancedEventSelectors: selector(arn, "PublishMessage"),
	})
	round(t, ch, "other")
	onRecord(t, a, arn, "9 6 6")
	kit.Do(t, a.Trail.DeleteEventDataStore,
		&cloudtrail.DeleteEventDataStoreInput{EventDataStore: made.EventDataStoreArn})
	round(t, ch, "other")
	onRecord(t, a, arn, "9 6 6")
	s.Stop()
	for _, word := range []string{"check", "audit verify", "audit export --to " + t.TempDir()} {
		args := append(strings.Fields(word), "--data", s.Data())
		if r := kit.Run(t, binary, args...); r.Code != 0 {
			t.Errorf("%s: %d\n%s%s", word, r.Code, r.Out, r.Err)
		}
	}
}

// round publishes three messages to a queue, gets them and settles them. A settlement
// has no answer: that of the last get tells that the broker has done them.
func round(t *testing.T, ch *amqp.Channel, queue string) {
	t.Helper()
	declare(t, ch, queue)
	m := persistent(secretBody)
	m.Headers = map[string]any{"hidden-header": "x"}
	for range 3 {
		if !confirmed(t, publish(t, ch, "", queue, m)) {
			t.Fatal("refused")
		}
	}
	for n := range 3 {
		d, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if n == 0 {
			err = d.Reject(false)
		} else {
			err = d.Ack(false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := ch.Get(queue, false); err != nil || ok {
		t.Fatal("a fourth message:", ok, err)
	}
}

// onRecord waits until as many messages as wanted are on record as published,
// delivered and settled.
func onRecord(t *testing.T, a *kit.AWS, arn, want string) {
	t.Helper()
	kit.Wait(t, want+" messages on record", func() bool {
		var words []string
		for _, name := range []string{"PublishMessage", "DeliverMessage", "SettleMessage"} {
			n := 0.0
			for _, e := range a.Events(t, "EventName", name) {
				dataEvent(t, e, arn)
				n += e.At("requestParameters", "messages").(float64)
			}
			words = append(words, fmt.Sprint(n))
		}
		return strings.Join(words, " ") == want
	})
}

// dataEvent checks an event, and that nothing of a message but its id is in it.
func dataEvent(t *testing.T, e kit.Event, arn string) {
	t.Helper()
	text := fmt.Sprint(e)
	if e.At("eventCategory") != "Data" || e.At("managementEvent") != false ||
		e.At("userIdentity", "userName") != "admin" ||
		!strings.HasPrefix(arn, "arn:aws:mq:") || !strings.Contains(text, arn+"/%2F/") {
		t.Errorf("event %v", e)
	}
	for _, hidden := range []string{secretBody, "hidden-header"} {
		if strings.Contains(text, hidden) {
			t.Errorf("event %v shows %s", e, hidden)
		}
	}
	outcome := e.At("requestParameters", "outcome")
	if (e.At("eventName") == "SettleMessage") != (outcome == "accepted" || outcome == "rejected") {
		t.Errorf("outcome %v", outcome)
	}
}
