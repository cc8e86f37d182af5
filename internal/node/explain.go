package node

import (
	"context"
	"strings"
	"unicode"

	api "coffer/internal/aws/api/coffer"
)

// ExplainRequest names a request to the process that runs on a data directory.
type ExplainRequest struct {
	Data    string // directory; ./coffer-data
	ID      string // of the request, as the client was told
	Account string // whose request it was; default: that of the credentials there
	Region  string // where; default us-east-1
}

// Explain tells how a request was decided: which statement or grant let it through,
// or what was missing and where to add it.
func Explain(ctx context.Context, r ExplainRequest) (*KeyReport, error) {
	in := &api.ExplainRequestInput{RequestId: r.ID}
	if r.Account != "" {
		in.AccountId = &r.Account
	}
	out := &api.ExplainRequestOutput{}
	k := KeyRequest{Data: r.Data, Region: r.Region}
	report, err := k.ask(ctx, "ExplainRequest", in, out)
	if err == nil {
		report.Text = explanation(out.Calls)
	}
	return report, err
}

// explanation writes the calls for people, one after another.
func explanation(calls []api.ExplainedCall) string {
	var text strings.Builder
	for i := range calls {
		c := &calls[i]
		l := &lines{}
		l.add("call", "%s of %s, event %s", c.EventName, c.EventSource, c.EventId)
		l.add("at", "%s", moment(c.EventTime))
		who := c.Principal
		if c.InvokedBy != "" && c.InvokedBy != who {
			who += " by way of " + c.InvokedBy
		}
		l.add("for", "%s", who)
		if c.ErrorCode != "" {
			l.add("error", "%s: %s", c.ErrorCode, c.ErrorMessage)
		}
		switch {
		case c.Authorization != "":
			for line := range strings.Lines(c.Authorization) {
				l.add("", "%s", strings.TrimSuffix(line, "\n"))
			}
		case c.ErrorCode != "":
			l.add("", "no policy decided this: the call failed otherwise")
		default:
			l.add("", "nothing says what decided")
		}
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(l.String())
	}
	return strings.Map(func(r rune) rune { // what events hold must not steer terminals
		if unicode.IsControl(r) && r != '\n' {
			return unicode.ReplacementChar
		}
		return r
	}, text.String())
}
