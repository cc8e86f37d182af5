package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
	"coffer/internal/control"
)

// redrive is what RedrivePolicy says: after so many receives a message goes to another
// queue.
type redrive struct {
	target address
	most   int64
	text   string // as it was set
}

// maxReceives bounds redrive.most.
const maxReceives = 1000

// parseRedrive reads a RedrivePolicy. Whether the target is there is another question.
func parseRedrive(text string) (*redrive, error) {
	var set map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &set) != nil || set == nil {
		return nil, &api.InvalidAttributeValue{Message: "Invalid value for the parameter " +
			"RedrivePolicy. Reason: Redrive policy is not a valid JSON map."}
	}
	bad := func(reason string) (*redrive, error) {
		return nil, badValue(text, "RedrivePolicy", reason)
	}
	count, target := unquoted(set["maxReceiveCount"]), unquoted(set["deadLetterTargetArn"])
	for _, x := range [...]struct{ name, value string }{
		{"maxReceiveCount", count}, {"deadLetterTargetArn", target},
	} {
		if x.value == "" {
			return bad("Redrive policy does not contain mandatory attribute: " + x.name + ".")
		}
	}
	r := &redrive{text: text}
	var err error
	if r.most, err = strconv.ParseInt(count, 10, 64); err != nil || r.most < 1 ||
		r.most > maxReceives {
		return bad("Invalid value for maxReceiveCount: " + count + ", valid values are from 1 " +
			"to 1000 both inclusive.")
	}
	var ok bool
	if r.target, ok = addressOfARN(target); !ok {
		if strings.HasPrefix(target, "arn:") && !strings.Contains(target, ":sqs:") {
			return bad("Only SQS queues are valid resources for deadLetterTargetArn.")
		}
		return bad("Dead-letter target ARN should be fully qualified ARN.")
	}
	if len(set) > 2 {
		return bad("Only following attributes are supported: [maxReceiveCount, " +
			"deadLetterTargetArn].")
	}
	return r, nil
}

// unquoted gives a text, or a number as one.
func unquoted(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(bytes.TrimSpace(v))
}

// addressOfARN reads a queue's ARN.
func addressOfARN(text string) (a address, ok bool) {
	p, err := arn.Parse(text)
	if err != nil || p.Service != "sqs" || !goodAccount(p.Account) ||
		p.Region == "" || !goodName(p.Resource) {
		return a, false
	}
	return address{realmName{p.Account, p.Region}, p.Resource}, true
}

// check refuses a target that is not there, is no match, or does not want dead letters of
// the queue.
func (r *redrive) check(tx *control.Tx, source address) error {
	bad := func(reason string) error { return badValue(r.text, "RedrivePolicy", reason) }
	if r.target.account != source.account {
		return bad("Dead-letter target owner should be same as the source.")
	}
	var t *row
	var err error
	if r.target.region == source.region {
		if t, err = find(tx, r.target); err != nil {
			return err
		}
	}
	switch {
	case t == nil:
		return &api.QueueDoesNotExist{Message: "Value " + r.text + " for parameter " +
			"RedrivePolicy is invalid. Reason: Dead letter target does not exist."}
	case r.target.fifo() != source.fifo():
		return bad("Dead-letter queue must be same type of queue as the source..")
	case !t.rules.allow.lets(source):
		return bad("The redrive allow policy of the dead-letter queue does not allow the " +
			"source queue.")
	}
	return nil
}

// allowed is what RedriveAllowPolicy says; nil lets all queues of the account send their
// dead letters.
type allowed struct {
	permission string
	sources    []string // ARNs
}

// maxSources bounds the queues that a RedriveAllowPolicy names.
const maxSources = 10

func parseAllowed(text string) (*allowed, error) {
	var set map[string]json.RawMessage // names in the case that they have to have
	a := &allowed{}
	err := json.Unmarshal([]byte(text), &set)
	for name, value := range set {
		switch {
		case err != nil:
		case name == "redrivePermission":
			err = json.Unmarshal(value, &a.permission)
		case name == "sourceQueueArns":
			err = json.Unmarshal(value, &a.sources)
		default:
			err = errors.ErrUnsupported
		}
	}
	byQueue := a.permission == "byQueue"
	bad := func(reason string) (*allowed, error) {
		return nil, badValue(text, "RedriveAllowPolicy",
			"Amazon SQS can't create the redrive allow policy. "+reason)
	}
	switch {
	case err != nil || !byQueue && a.permission != "allowAll" &&
		a.permission != "denyAll" || slices.ContainsFunc(a.sources, notQueue):
		return nil, &api.InvalidAttributeValue{Message: "Invalid value for the parameter " +
			"RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as " +
			"it’s in an unsupported format."}
	case byQueue && len(a.sources) == 0:
		return bad("When you specify the byQueue permission type, you must also specify one " +
			"or more sourceQueueArns values.")
	case len(a.sources) > maxSources:
		return bad("The maximum number of source queue ARNs you can specify is 10.")
	case !byQueue && len(a.sources) > 0:
		return bad("To specify one or more source queue ARNs, you must set redrivePermission " +
			"to byQueue.")
	}
	return a, nil
}

func notQueue(text string) bool {
	_, ok := addressOfARN(text)
	return !ok
}

// lets reports whether a queue may send its dead letters.
func (a *allowed) lets(source address) bool {
	if a == nil || a.permission == "allowAll" {
		return true
	}
	return a.permission == "byQueue" && slices.Contains(a.sources, source.arn())
}

// limits are the rules that the broker keeps of a queue. Without the queue for its dead
// letters, messages stay where they are.
func (s *Service) limits(r *row) broker.Limits {
	l := r.rules.limits()
	d := r.rules.redrive
	if d == nil {
		return l
	}
	s.mu.RLock()
	t := s.queues[d.target]
	s.mu.RUnlock()
	if t == nil || t.place.Load() == nil {
		return l
	}
	l.Deliveries = broker.AtMost(d.most - 1)
	l.Dead = broker.DeadLetter{
		Set: true, Key: brokerQueue, OwnKey: true, Namespace: broker.NamespaceID(t.id),
		KeepTime: !r.rules.fifo, Rounds: true,
	}
	return l
}

// refreshSources lets the queues whose dead letters go to a hear that it came or went.
func (s *Service) refreshSources(a address) error {
	for _, source := range s.sourcesOf(a) {
		if err := s.refresh(source); err != nil {
			return err
		}
	}
	return nil
}

// sourcesOf gives the queues whose dead letters go to a queue, in no order.
func (s *Service) sourcesOf(a address) (list []address) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for source := range s.sources[a] {
		list = append(list, source)
	}
	return list
}

// index notes where the dead letters of a queue go that comes, changes or goes. s.mu is
// held.
func (s *Service) index(q *queue, old, now *row) {
	if old != nil && old.rules.redrive != nil {
		delete(s.sources[old.rules.redrive.target], q.address)
	}
	if now == nil {
		delete(s.byID, q.id)
		return
	}
	s.byID[q.id] = q
	if d := now.rules.redrive; d != nil {
		if s.sources[d.target] == nil {
			s.sources[d.target] = map[address]struct{}{}
		}
		s.sources[d.target][q.address] = struct{}{}
	}
}

// source is the queue in which a message died last; nil when it did not, or when that
// queue is gone.
func (s *Service) source(q *queue, h *broker.History) *queue {
	if h == nil {
		return nil
	}
	id := uuid.UUID(h.Deaths[0].Namespace)
	if id == uuid.Nil {
		return q
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

// ListDeadLetterSourceQueues lists the queues whose dead letters go to a queue, by name.
func (s *Service) ListDeadLetterSourceQueues(
	ctx context.Context, in *api.ListDeadLetterSourceQueuesInput,
) (*api.ListDeadLetterSourceQueuesOutput, error) {
	q, err := s.lookup(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	p := &page{s: s, list: []string{"sources", q.id.String()}}
	if err := p.read(in.MaxResults, in.NextToken); err != nil {
		return nil, err
	}
	var names []string
	for _, a := range s.sourcesOf(q.address) {
		names = append(names, a.name)
	}
	names, next := p.cut(names)
	out := &api.ListDeadLetterSourceQueuesOutput{QueueUrls: []string{}, NextToken: next}
	for _, name := range names {
		out.QueueUrls = append(out.QueueUrls, address{q.realmName, name}.url(gateway.From(ctx)))
	}
	return out, nil
}
