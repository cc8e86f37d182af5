package node

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/broker"
	"coffer/internal/service/cloudtrail"
	"coffer/internal/store"
)

// recorder makes data events of what clients do to messages, where event data stores
// select it. It is the broker's Recorder.
type recorder struct{ n *Node }

var _ broker.Recorder = recorder{}

// mqSource is the event source of Amazon MQ.
const mqSource = "amazonmq.amazonaws.com"

// deeds are the kinds of what clients do, as events.
var deeds = [...]struct {
	kind     broker.Deeds
	name     string
	readOnly bool
}{
	{broker.Publishes, "PublishMessage", false},
	{broker.Delivers, "DeliverMessage", true},
	{broker.Settles, "SettleMessage", false},
}

// outcomes name how a delivery was settled.
var outcomes = map[broker.Outcome]string{
	broker.Accept: "accepted", broker.Reject: "rejected", broker.Release: "released",
}

// site is where a queue is, for events.
type site struct{ account, region, broker, queue string }

// site gives the ARNs of a queue and its broker: the queue's is the broker's, virtual
// host and name, each encoded as in a URL's path.
func (r recorder) site(a *broker.Actor, queue string) (site, bool) {
	id, err := uuid.Parse(strings.TrimPrefix(a.Broker, "b-"))
	if err != nil {
		return site{}, false
	}
	f := r.n.fleet
	f.mu.Lock()
	b := f.brokers[id]
	f.mu.Unlock()
	if b == nil || b.run.ARN == "" {
		return site{}, false
	}
	return site{
		account: b.run.Account, region: b.run.Region, broker: b.run.ARN,
		queue: b.run.ARN + "/" + url.PathEscape(a.VHost) + "/" + url.PathEscape(queue),
	}, true
}

// Selected is [broker.Recorder]'s.
func (r recorder) Selected(a *broker.Actor, queue string) (selected broker.Deeds) {
	at, ok := r.site(a, queue)
	if !ok {
		return 0
	}
	for _, d := range deeds {
		if r.n.cloudtrail.Selects(&cloudtrail.DataEvent{
			Account: at.account, Region: at.region, Source: mqSource, Name: d.name,
			ReadOnly: d.readOnly, Type: audit.TypeQueue, Resource: at.queue,
		}) {
			selected |= d.kind
		}
	}
	return selected
}

// Record is [broker.Recorder]'s.
func (r recorder) Record(
	shard store.ShardID, at time.Time, b *store.Batch, list []*broker.Deed,
) (durable func(), err error) {
	events := make([]*audit.Event, 0, len(list))
	for _, d := range list {
		if where, ok := r.site(d.Actor, d.Queue); ok { // else the broker was deleted
			events = append(events, event(at, where, d))
		}
	}
	put, err := r.n.trail.Put(shard, b, events)
	if err != nil {
		return nil, err
	}
	return func() {
		put()
		r.n.counts.deeds.Add(len(events))
	}, nil
}

// event makes the event of a deed: what the broker knows of the messages, and nothing
// that is in them.
func event(at time.Time, where site, d *broker.Deed) *audit.Event {
	ids, places := []string{}, make([]uint64, 0, len(d.Messages))
	for _, m := range d.Messages {
		places = append(places, m.Sequence)
		if m.ID != [16]byte{} {
			ids = append(ids, uuid.UUID(m.ID).String())
		}
	}
	source, _, err := net.SplitHostPort(d.Actor.Source)
	if err != nil {
		source = d.Actor.Source
	}
	e := &audit.Event{
		EventVersion: "1.08", EventTime: at.UTC(), EventSource: mqSource,
		UserIdentity: audit.Identity{Type: "Unknown", AccountID: where.account,
			PrincipalID: d.Actor.Broker + ":" + d.Actor.User, UserName: d.Actor.User},
		AWSRegion: where.region, SourceIPAddress: source, UserAgent: d.Actor.Protocol,
		RequestID: uuid.NewString(), EventID: uuid.NewString(), EventType: "AwsApiCall",
		EventCategory: "Data", RecipientAccountID: where.account,
		RequestParameters: map[string]any{
			"brokerId": d.Actor.Broker, "virtualHost": d.Actor.VHost, "queue": d.Queue,
			"messages": len(d.Messages), "sequences": places, "messageIds": ids,
		},
		Resources: []audit.Resource{
			{AccountID: where.account, Type: audit.TypeQueue, ARN: where.queue},
			{AccountID: where.account, Type: "AWS::AmazonMQ::Broker", ARN: where.broker},
		},
	}
	for _, k := range deeds {
		if k.kind == d.Kind {
			e.EventName, e.ReadOnly = k.name, k.readOnly
		}
	}
	if d.Kind == broker.Settles {
		e.RequestParameters["outcome"] = outcomes[d.Outcome]
	}
	return e
}

// reselect lets the queues ask anew what is selected.
func (n *Node) reselect() { n.core.Reselect(n.cloudtrail.Any()) }

// expireData removes data events that nobody wants to keep.
func (n *Node) expireData(ctx context.Context) (removed int, err error) {
	from, err := n.cloudtrail.Kept(ctx)
	if err != nil {
		return 0, err
	}
	removed, derr := n.trail.ExpireData(ctx, from)
	return removed, errors.Join(err, derr)
}
