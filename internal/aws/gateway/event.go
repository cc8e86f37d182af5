package gateway

import (
	"crypto/tls"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/lint"
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
		TLSDetails:         call.tlsDetails(),
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
	if !op.ReadOnly && g.cfg.Lint != lint.Off {
		call.found = lint.Request(op.Name, p)
	}
	if len(p) > 0 {
		e.RequestParameters = fit("requestParameters", p)
	}
	return e
}

// tlsDetails tells how a request from outside came; nil without TLS.
func (c *Call) tlsDetails() *audit.TLSDetails {
	if c.tls == nil {
		return nil
	}
	return &audit.TLSDetails{
		TLSVersion:               strings.ReplaceAll(tls.VersionName(c.tls.Version), " ", "v"),
		CipherSuite:              tls.CipherSuiteName(c.tls.CipherSuite),
		ClientProvidedHostHeader: c.Host,
	}
}

// Bounds of an event's fields in bytes. A field above its bound is cut short or
// left out: no request may be too large to be recorded.
//
// Source: CloudTrail User Guide, "CloudTrail record contents".
const (
	maxElements     = 100 << 10 // JSON of the request's or the response's
	maxErrorMessage = 1 << 10
	maxUserAgent    = 1 << 10
	maxExplanation  = 28 << 10
)

// fit gives m, or what stands for it when it is too large.
func fit(field string, m map[string]any) map[string]any {
	text, err := json.Marshal(m)
	if err == nil && len(text) <= maxElements {
		return m
	}
	return map[string]any{
		"omitted": true, "originalSize": len(text), "reason": field + " too large",
	}
}

// clip cuts s to n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
