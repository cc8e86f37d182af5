package gateway

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"coffer/internal/arn"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// authorize decides every check of the request; all must allow.
func (g *Gateway) authorize(
	ctx context.Context, s *service, op *wire.Op, in any, call *Call,
) error {
	checks := []Check{{}}
	if s.Access != nil {
		var err error
		if checks, err = s.Access.Access(ctx, op, in); err != nil {
			return err
		}
	}
	if len(checks) == 0 {
		return fmt.Errorf("%s of %s asks for no decision", op.Name, s.API.Name)
	}
	for i := range checks {
		c := &checks[i]
		if c.Action == "" {
			c.Action = s.API.ActionPrefix + ":" + op.Name
		}
		if c.Resource == "" {
			c.Resource = "*"
		}
		if c.Type != "" {
			call.addResource(c)
		}
		if c.Anyone {
			continue
		}
		if err := g.decide(c, call); err != nil {
			return err
		}
	}
	return nil
}

func (c *Call) addResource(k *Check) {
	account := k.Account
	if account == "" {
		account = c.Account
	}
	c.AddResource(k.Type, account, k.Resource)
}

func (g *Gateway) decide(c *Check, call *Call) error {
	r := policy.Request{
		Principal: call.Principal, Action: c.Action,
		Resource: c.Resource, ResourceAccount: c.Account,
		EncryptionContext: c.EncryptionContext,
		Time:              call.event.EventTime,
		Identity:          call.identity.Policies,
		Boundary:          call.identity.Boundary,
		ResourcePolicy:    c.Policy, RootOfTrust: c.RootOfTrust,
		Grants: c.Grants, OnlyGrant: cmp.Or(c.OnlyGrant, call.Grant), NewGrant: c.NewGrant,
	}
	if s := call.identity.Session; s != nil {
		r.Session = s.Policies
	}
	keys := func() conditions {
		keys := conditions{}
		for k, v := range c.Context {
			keys.add(k, v...)
		}
		call.identity.conditions(keys, r.Time, c.MFA)
		call.conditions(keys)
		return keys
	}
	r.Context = policy.Later(func(to *policy.Context) { keys().fill(to) })
	d := policy.Evaluate(r)
	if d.Allowed {
		call.allowed(c, &d)
		call.tellAllowed(d, ownerOf(&r))
		return nil
	}
	call.AddEventData(authorization, clip(ownExplanation(&r, &d, call.Account), maxExplanation))
	var err error
	call.sealed, err = g.sealMessage(&r, &d, d.Explain(), keys())
	if err != nil {
		return err
	}
	call.AddEventData("encodedAuthorizationMessage", call.sealed)
	return fault.New(fault.Denied, "%s", deniedText(&d, c, call))
}

// ownExplanation is what an account may know of a denial: of another account's
// resource not which statements and grants it has.
func ownExplanation(r *policy.Request, d *policy.Decision, account string) string {
	if ownerOf(r) == account {
		return d.Explain()
	}
	own := *r
	own.ResourcePolicy, own.Grants = policy.Policy{}, nil
	return policy.Evaluate(own).Explain()
}

// authorization is the name of what decided, in an event's additionalEventData.
const authorization = "authorization"

// tellAllowed puts what let the call through on the event, a line for each
// decision. That the root user may goes without saying, and events of what services do
// have the fields that AWS publishes and no more. Which statement another account has in
// the policy of its resource is not for the caller.
func (c *Call) tellAllowed(d policy.Decision, owner string) {
	if d.By.Kind == policy.FromRoot || c.published || c.unrecorded {
		return
	}
	if owner != c.Account {
		for _, s := range []*policy.Source{&d.By, &d.With} {
			if s.Kind == policy.FromResource {
				*s = policy.Source{Kind: policy.FromResource}
			}
		}
	}
	text := d.Summary()
	if before, ok := c.event.AdditionalEventData[authorization].(string); ok {
		text = before + "\n" + text
	}
	c.AddEventData(authorization, clip(text, maxExplanation))
}

// conditions are the global condition keys that the gateway knows.
func (c *Call) conditions(keys conditions) {
	keys.add("aws:RequestedRegion", c.Region)
	keys.add("aws:SecureTransport", strconv.FormatBool(!c.plain))
	keys.add("aws:UserAgent", c.UserAgent)
	if net.ParseIP(c.SourceIP) != nil {
		keys.add("aws:SourceIp", c.SourceIP)
	}
	if c.InvokedBy != "" && c.Principal.Kind != policy.Service {
		keys.add("aws:ViaAWSService", "true")
		keys.add("aws:CalledVia", c.InvokedBy)
		keys.add("aws:CalledViaFirst", c.InvokedBy)
		keys.add("aws:CalledViaLast", c.InvokedBy)
	} else {
		keys.add("aws:ViaAWSService", "false")
	}
	if a, err := arn.Parse(c.sourceARN); err == nil && c.Principal.Kind == policy.Service {
		keys.add("aws:SourceArn", c.sourceARN)
		if a.Account != "" {
			keys.add("aws:SourceAccount", a.Account)
		}
	}
}

// deniedText is AWS's wording of a denial.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func deniedText(d *policy.Decision, c *Check, call *Call) string {
	who, action := call.Principal.String(), c.Action
	if strings.HasPrefix(action, "sqs:") {
		action = strings.ToLower(action) // its clients see sqs:sendmessage
	}
	text := fmt.Sprintf("User: %s is not authorized to perform: %s", who, action)
	if c.Resource != "*" {
		text += " on resource: " + c.Resource
	}
	trust := c.Resource != "*" && c.RootOfTrust && strings.HasPrefix(c.Action, "sts:")
	if d.ExplicitDeny() {
		if trust && d.By.Kind == policy.FromResource {
			return text + " with an explicit deny in the role trust policy"
		}
		return text + " with an explicit deny in " + article(d.By.Kind)
	}
	kind := policy.FromIdentity
	if call.Principal.Kind == policy.Service {
		kind = policy.FromResource // no other policy could allow it
	}
	switch d.Reason {
	case policy.DeniedByResource:
		kind = policy.FromResource
	case policy.DeniedByBoundary:
		kind = policy.FromBoundary
	case policy.DeniedBySession:
		kind = policy.FromSession
	case policy.DeniedByDefault:
		if c.RootOfTrust {
			kind = policy.FromResource
		}
	}
	name := noun(kind)
	if trust && kind == policy.FromResource {
		name = "role trust policy"
	}
	return text + " because no " + name + " allows the " + action + " action"
}

func noun(k policy.SourceKind) string {
	switch k {
	case policy.FromResource:
		return "resource-based policy"
	case policy.FromBoundary:
		return "permissions boundary"
	case policy.FromSession:
		return "session policy"
	}
	return "identity-based policy"
}

func article(k policy.SourceKind) string {
	if k == policy.FromIdentity {
		return "an identity-based policy"
	}
	return "a " + noun(k)
}
