package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
)

// LookupEvents finds events of the caller's account and Region, newest first.
// As at AWS, one attribute can be given, and a token is good for the very query
// that it came from.
func (s *Service) LookupEvents(ctx context.Context, in *api.LookupEventsInput) (
	*api.LookupEventsOutput, error,
) {
	call := gateway.From(ctx)
	q, err := s.query(call, in)
	if err != nil {
		return nil, err
	}
	token := s.binding(call, in)
	if in.NextToken != nil {
		after, ok := token.open(*in.NextToken)
		if !ok {
			return nil, &api.InvalidNextTokenException{Message: "The next token is not valid, " +
				"or it came from a request with other parameters."}
		}
		q.After = after
	}
	if in.EventCategory != "" {
		return &api.LookupEventsOutput{}, nil // only insight events have one; there are none
	}
	events, next, err := s.log.Lookup(ctx, *q)
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
		out.NextToken = token.seal(next)
	}
	return out, nil
}

// query checks what the model cannot say of a request.
func (s *Service) query(call *gateway.Call, in *api.LookupEventsInput) (*audit.Query, error) {
	q := &audit.Query{
		Account: call.Account, Region: call.Region, Limit: audit.MaxLookup,
		From: in.StartTime, To: in.EndTime,
	}
	if len(in.LookupAttributes) > 1 {
		return nil, &api.InvalidLookupAttributesException{
			Message: "You can only specify one lookup attribute."}
	}
	for _, a := range in.LookupAttributes {
		q.Attribute, q.Value = a.AttributeKey, a.AttributeValue
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.From.After(q.To) {
		return nil, &api.InvalidTimeRangeException{
			Message: "Start time must be before or equal to end time."}
	}
	if oldest := s.cfg.Now().Add(-audit.Retention); q.From.Before(oldest) {
		q.From = oldest
	}
	if in.MaxResults != nil {
		q.Limit = int(*in.MaxResults)
	}
	return q, nil
}

// show gives an event as LookupEvents does.
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
			api.Resource{ResourceName: r.Name(), ResourceType: r.Type})
	}
	return row, nil
}
