package gateway

import (
	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
)

// eventVersion is the version of CloudTrail's record format that events have.
const eventVersion = "1.08"

func (g *Gateway) newEvent(s *service, op *wire.Op, in any, call *Call) *audit.Event {
	e := &audit.Event{
		EventVersion:       eventVersion,
		UserIdentity:       call.identity.Event,
		EventTime:          g.cfg.Now().UTC(),
		EventSource:        s.API.EventSource,
		EventName:          op.Name,
		AWSRegion:          call.Region,
		SourceIPAddress:    call.SourceIP,
		UserAgent:          call.UserAgent,
		RequestID:          call.RequestID,
		EventID:            uuid.NewString(),
		ReadOnly:           op.ReadOnly,
		EventType:          "AwsApiCall",
		ManagementEvent:    true,
		RecipientAccountID: call.Account,
		EventCategory:      "Management",
		TLSDetails:         call.tls,
	}
	if call.InvokedBy != "" {
		e.UserIdentity.InvokedBy = call.InvokedBy
	}
	if call.eventSource != "" {
		e.EventSource = call.eventSource
	}
	if call.shared {
		e.SharedEventID = uuid.NewString()
	}
	p := s.codec.Audit(in)
	for _, name := range call.unshown {
		delete(p, name)
	}
	if len(p) > 0 {
		e.RequestParameters = p
	}
	return e
}
