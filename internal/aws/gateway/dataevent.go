package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// selectData begins the event of an operation on data that somebody wants to keep, once
// the caller was decided on; else the operation leaves none. What a request says is not
// in it but for what the service adds: data are nobody's business.
func (g *Gateway) selectData(s *service, op *wire.Op, in any, call *Call) {
	if g.cfg.Selected == nil {
		return
	}
	e := &audit.Event{
		EventSource: s.API.EventSource, EventName: op.Name, ReadOnly: op.ReadOnly,
		AWSRegion: call.Region, Resources: call.event.Resources, RecipientAccountID: call.Account,
	}
	if !g.cfg.Selected(e) && !slices.ContainsFunc(copies(e), g.cfg.Selected) {
		return
	}
	old := call.event
	e = g.newEvent(s, op, in, call)
	e.EventCategory, e.ManagementEvent, e.RequestParameters = "Data", false, nil
	e.EventTime, e.Resources = old.EventTime, old.Resources
	e.AdditionalEventData = old.AdditionalEventData
	call.event, call.unrecorded = e, false
}

// recordData puts the event of an operation on data on the trails of those who want it,
// before the operation is answered with err, and gives the answer.
func (g *Gateway) recordData(ctx context.Context, s *service, call *Call, err error) error {
	if call.unrecorded {
		return err
	}
	e, status := call.event, http.StatusOK
	list := []*audit.Event{e}
	if err != nil {
		f := g.fault(s, err)
		e.ErrorCode, status = f.Fault()
		e.ErrorMessage = clip(message(f), maxErrorMessage)
	}
	call.addRequest(status)
	if fault.KindOf(err) != fault.Denied {
		list = append(list, copies(e)...)
	}
	ctx = context.WithoutCancel(ctx)
	for _, e := range list {
		if !g.cfg.Selected(e) {
			continue
		}
		if rerr := g.log.Record(ctx, e); rerr != nil {
			return fmt.Errorf("record data event: %w", rerr)
		}
		g.recorded(e)
	}
	return err
}

// maxPath bounds what a data event tells of a request's path, in bytes.
const maxPath = 256

// addRequest tells how the request came and was answered, the first two as S3's data events
// do. A query is left out: messages may be in it.
func (c *Call) addRequest(status int) {
	c.AddEventData("SignatureVersion", "SigV4")
	c.AddEventData("httpStatus", status)
	if c.http == nil {
		return
	}
	method := "AuthHeader"
	if c.credential.Presigned {
		method = "QueryString"
	}
	c.AddEventData("AuthenticationMethod", method)
	c.AddEventData("requestURI", clip(c.http.Method, maxPath)+" "+
		clip(c.http.URL.EscapedPath(), maxPath)+" "+c.http.Proto)
	c.AddEventData("totalTimeMilliseconds", time.Since(c.began).Milliseconds())
}

// Recorded tells whether the call leaves an event that [Call.AddEventData] can add to.
func (c *Call) Recorded() bool { return !c.unrecorded }
