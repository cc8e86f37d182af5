package coffer

import (
	"context"
	"fmt"
	"slices"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
)

// Trail finds events.
type Trail interface {
	// Lookup gives events newest first, as [audit.Log.Lookup] does.
	Lookup(ctx context.Context, q audit.Query) ([]*audit.Event, []byte, error)
}

// explainChecks lets the operator's account ask about requests of every account,
// and others about their own.
func (s *Service) explainChecks(ctx context.Context, in *api.ExplainRequestInput) []gateway.Check {
	call := gateway.From(ctx)
	if in.AccountId == nil || *in.AccountId == call.Account || call.Account == s.operator {
		return []gateway.Check{{}}
	}
	return []gateway.Check{{Account: *in.AccountId}}
}

// maxExplained bounds the calls that are explained; the newest are.
const maxExplained = 500

// ExplainRequest tells how the calls of a request were decided: which statement or
// grant let it through, or what was missing and where to add it. A request calls
// more than one operation where a service acts for the caller; they come in order.
// It finds requests of this Region within the time that events are kept.
func (s *Service) ExplainRequest(ctx context.Context, in *api.ExplainRequestInput) (
	*api.ExplainRequestOutput, error,
) {
	call := gateway.From(ctx)
	account := call.Account
	if in.AccountId != nil {
		account = *in.AccountId
	}
	q := audit.Query{Account: account, Region: call.Region, Attribute: "RequestId",
		Value: in.RequestId}
	var events []*audit.Event
	for more := true; more && len(events) < maxExplained; more = q.After != nil {
		page, next, err := s.trail.Lookup(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("explain request %s: %w", in.RequestId, err)
		}
		events, q.After = append(events, page...), next
	}
	if len(events) == 0 {
		return nil, &api.RequestNotFoundException{Message: fmt.Sprintf(
			"Account %s has no request %s on record in %s. A request whose signature was wrong is "+
				"only in the log.", account, in.RequestId, call.Region)}
	}
	slices.Reverse(events)
	out := &api.ExplainRequestOutput{Calls: make([]api.ExplainedCall, 0, len(events))}
	for _, e := range events {
		out.Calls = append(out.Calls, explained(e))
	}
	return out, nil
}

func explained(e *audit.Event) api.ExplainedCall {
	id := &e.UserIdentity
	who := id.ARN
	switch {
	case who == "" && id.Type == "AWSService":
		who = id.InvokedBy
	case who == "":
		who = id.Type + " " + id.AccountID
	}
	authorization, _ := e.AdditionalEventData["authorization"].(string)
	if authorization == "" && id.Type == "Root" && e.ErrorCode == "" {
		authorization = "allowed: the root user needs no policy"
	}
	return api.ExplainedCall{
		EventId: e.EventID, EventTime: e.EventTime, EventSource: e.EventSource,
		EventName: e.EventName, Principal: who, InvokedBy: id.InvokedBy,
		ErrorCode: e.ErrorCode, ErrorMessage: e.ErrorMessage, Authorization: authorization,
	}
}
