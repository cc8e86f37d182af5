package gateway

import (
	"context"
	"slices"

	"coffer/internal/aws/wire"
	"coffer/internal/lint"
)

// lint tells of what a request sets that looks like personal data or a secret, on the
// event and in the log, which name the parameter and never the value; or refuses it.
func (g *Gateway) lint(ctx context.Context, s *service, call *Call) error {
	if len(call.found) == 0 {
		return nil
	}
	refuse := g.cfg.Lint == lint.Refuse
	told := make([]any, 0, len(call.found))
	var violations []wire.Violation
	for i := range call.found {
		f := &call.found[i]
		if refuse || f.Secret() {
			f.Hide()
		}
		told = append(told, map[string]any{"parameter": f.Parameter, "looksLike": f.Looks})
		g.cfg.Logger.WarnContext(ctx, "a name, tag or description looks like what does not "+
			"belong there: others can read it", "service", s.API.Name,
			"operation", call.event.EventName, "parameter", f.Parameter, "looks_like", f.Looks,
			"refused", refuse, "request", call.RequestID)
		violations = append(violations, wire.Violation{Path: f.Parameter,
			Text: "Value at '" + f.Parameter + "' failed to satisfy constraint: Member must not " +
				"hold what looks like " + f.Looks[0].String()})
	}
	call.AddEventData("lint", told)
	if !refuse {
		return nil
	}
	return s.codec.Refuse(violations)
}

// hidden are the findings that the event must not repeat.
func (c *Call) hidden() []lint.Finding {
	return slices.DeleteFunc(slices.Clone(c.found),
		func(f lint.Finding) bool { return !f.Secret() })
}
