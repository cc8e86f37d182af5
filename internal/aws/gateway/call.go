package gateway

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"coffer/internal/audit"
	"coffer/internal/aws/sigv4"
	"coffer/internal/lint"
	"coffer/internal/policy"
)

// Call is what a service may know of the request it serves.
type Call struct {
	RequestID string
	Account   string // the caller's account; owns what the call creates
	Region    string
	Principal policy.Principal
	SourceIP  string
	UserAgent string
	Host      string // that a request from outside names, with its port
	// InvokedBy is the service that makes the call on the principal's behalf or
	// as itself ("mq.amazonaws.com"); empty for a call from outside.
	InvokedBy string
	// Grant is the only grant that may allow the call; empty = any.
	Grant string

	identity    *Identity
	credential  *sigv4.Credential // of a request from outside, else nil
	http        *http.Request     // the same
	began       time.Time         // the same
	event       *audit.Event
	trail       *trail
	tls         *tls.ConnectionState
	sourceARN   string // aws:SourceArn of a service's call
	eventSource string // instead of the called service's own
	shared      bool   // the event has a sharedEventID
	plain       bool   // the request came without TLS
	unshown     []string
	unrecorded  bool // nobody will see the event
	found       []lint.Finding
	published   bool              // the event is one of those that AWS publishes of services' calls
	sealed      string            // why the call was denied, for DecodeAuthorizationMessage
	grants      map[string]string // by resource: the grant that allowed
	permitted   func(context.Context) error
}

type callKey struct{}

// From gives the call that ctx belongs to. It panics outside one: a method of
// a service never runs there.
func From(ctx context.Context) *Call {
	return ctx.Value(callKey{}).(*Call)
}

// Within is From, and nil outside of a call: what a service does by the clock is
// none.
func Within(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Identity is who calls: as found in this unit of work, without the secret. It
// must not be changed.
func (c *Call) Identity() *Identity {
	who := *c.identity
	who.Secret = sigv4.Secret{}
	return &who
}

// AccessKeyID is the access key of a request from outside, else empty.
func (c *Call) AccessKeyID() string {
	if c.credential == nil {
		return ""
	}
	return c.credential.AccessKeyID
}

// Permitted decides the call ahead of its unit of work, for a Prepare that costs much:
// it need not be done for those who may not ask for it. The decision that counts is the
// one in the unit of work. An operation on data, which has none, asks when it has waited:
// whoever lost the right meanwhile is refused.
func (c *Call) Permitted(ctx context.Context) error { return c.permitted(ctx) }

// EventID is the id of the call's event.
func (c *Call) EventID() string { return c.event.EventID }

// AllowedBy gives the id of the grant that allowed the call on a resource; empty
// when something else did.
func (c *Call) AllowedBy(resource string) string { return c.grants[resource] }

func (c *Call) allowed(k *Check, d *policy.Decision) {
	if d.By.Kind != policy.FromGrant {
		return
	}
	if c.grants == nil {
		c.grants = map[string]string{}
	}
	c.grants[k.Resource] = d.By.Name
}

// AddResource puts a resource on the event that no Check named, such as one
// that the call just made.
func (c *Call) AddResource(kind, account, arn string) {
	for _, r := range c.event.Resources {
		if r.ARN == arn {
			return
		}
	}
	c.event.Resources = append(c.event.Resources,
		audit.Resource{AccountID: account, Type: kind, ARN: arn})
}

// AddEventData puts a fact into the event's additionalEventData.
func (c *Call) AddEventData(name string, value any) {
	if c.event.AdditionalEventData == nil {
		c.event.AdditionalEventData = map[string]any{}
	}
	c.event.AdditionalEventData[name] = value
}

// DefaultParameter shows in the event's requestParameters what holds because the
// request does not say it.
func (c *Call) DefaultParameter(name string, value any) {
	p := c.event.RequestParameters
	if p == nil {
		p = map[string]any{}
		c.event.RequestParameters = p
	}
	if _, said := p[name]; !said && p["omitted"] == nil {
		p[name] = value
	}
}

// SetResponseElements replaces what the event shows of the answer.
func (c *Call) SetResponseElements(m map[string]any) {
	c.event.ResponseElements = fit("responseElements", m)
	c.trail.shown[c.event] = true
}
