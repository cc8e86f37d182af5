// Package cloudtrail is the API of the audit trail: it searches the management
// events of the last 90 days. Trails, event data stores and insights answer
// "not implemented".
package cloudtrail

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// Service implements the CloudTrail API.
type Service struct {
	api.Unimplemented
	db  *control.DB
	log *audit.Log
	now func() time.Time
}

var _ api.Service = (*Service)(nil)

// New makes the service; a nil now means time.Now.
func New(db *control.DB, log *audit.Log, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{db: db, log: log, now: now}
}

// LookupEvents finds events of the caller's account and Region, newest first.
// As at AWS, one attribute can be given.
func (s *Service) LookupEvents(ctx context.Context, in *api.LookupEventsInput) (
	*api.LookupEventsOutput, error,
) {
	call := gateway.From(ctx)
	q := audit.Query{Account: call.Account, Region: call.Region}
	if len(in.LookupAttributes) > 1 {
		return nil, &api.InvalidLookupAttributesException{
			Message: "You can only specify one lookup attribute."}
	}
	for _, a := range in.LookupAttributes {
		q.Attribute, q.Value = a.AttributeKey, a.AttributeValue
	}
	if in.EventCategory != "" {
		return &api.LookupEventsOutput{}, nil // only insight events have one; there are none
	}
	oldest := s.now().Add(-audit.Retention)
	q.From, q.To = in.StartTime, in.EndTime
	if !q.From.IsZero() && !q.To.IsZero() && q.From.After(q.To) {
		return nil, &api.InvalidTimeRangeException{
			Message: "Start time must be before or equal to end time."}
	}
	if q.From.Before(oldest) {
		q.From = oldest
	}
	q.Limit = audit.MaxLookup
	if in.MaxResults != nil {
		q.Limit = int(*in.MaxResults)
	}
	if in.NextToken != nil {
		after, ok := s.openToken(call, *in.NextToken)
		if !ok {
			return nil, &api.InvalidNextTokenException{Message: "The next token is not valid."}
		}
		q.After = after
	}
	events, next, err := s.log.Lookup(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("look up events: %w", err)
	}
	out := &api.LookupEventsOutput{Events: make([]api.Event, 0, len(events))}
	for _, e := range events {
		row, err := show(e)
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, row)
	}
	if next != nil {
		out.NextToken = s.sealToken(call, next)
	}
	return out, nil
}

func show(e *audit.Event) (api.Event, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return api.Event{}, fmt.Errorf("show event %s: %w", e.EventID, err)
	}
	row := api.Event{
		EventId: e.EventID, EventName: e.EventName, EventSource: e.EventSource,
		EventTime: e.EventTime.Truncate(time.Second), ReadOnly: strconv.FormatBool(e.ReadOnly),
		AccessKeyId: e.UserIdentity.AccessKeyID, Username: e.Username(),
		CloudTrailEvent: string(text),
	}
	for _, r := range e.Resources {
		row.Resources = append(row.Resources,
			api.Resource{ResourceName: r.ARN, ResourceType: r.Type})
	}
	return row, nil
}

// A token is a digest and the cursor, so that only cursors we gave come back.
func (s *Service) sealToken(call *gateway.Call, cursor []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(s.digest(call, cursor), cursor...))
}

func (s *Service) openToken(call *gateway.Call, token string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= 16 {
		return nil, false
	}
	return b[16:], hmac.Equal(b[:16], s.digest(call, b[16:]))
}

func (s *Service) digest(call *gateway.Call, cursor []byte) []byte {
	return s.db.MAC("lookup-token", call.Account, call.Region, string(cursor))
}
