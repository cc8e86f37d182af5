package rabbitmq

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"coffer/internal/rabbitmq/parameter"
)

// policySetting is a key of policies, and says in RabbitMQ's words what a wrong value is
// not.
type policySetting struct {
	key      string
	ok       func(any) bool
	what     string
	operator bool // operator policies may have it, too
}

// policySettings are those of RabbitMQ 4, and those of mirrored queues of earlier
// versions, which mean nothing any more but stand in files that are imported.
var policySettings = []policySetting{
	{"alternate-exchange", isText, "alternate exchange name", false},
	{"consumer-timeout", notNegative, "consumer timeout", false},
	{"dead-letter-exchange", isText, "dead letter exchange name", false},
	{"dead-letter-routing-key", isText, "dead letter routing key", false},
	{"dead-letter-strategy", word("at-most-once", "at-least-once"), "dead letter strategy",
		false},
	{"delivery-limit", whole, "delivery limit", true},
	{"expires", positive, "queue expiry", true},
	{"federation-upstream", isText, "federation upstream name", false},
	{"federation-upstream-pattern", isPattern, "federation upstream pattern", false},
	{"federation-upstream-set", isText, "federation upstream set name", false},
	{"ha-mode", isText, "ha-mode", false},
	{"ha-params", anything, "", false},
	{"ha-promote-on-failure", isText, "ha-promote-on-failure", false},
	{"ha-promote-on-shutdown", isText, "ha-promote-on-shutdown", false},
	{"ha-sync-batch-size", positive, "ha-sync-batch-size", false},
	{"ha-sync-mode", isText, "ha-sync-mode", false},
	{"initial-cluster-size", notNegative, "cluster size", false},
	{"max-age", isAge, "max age", false},
	{"max-in-memory-bytes", notNegative, "maximum memory in bytes", true},
	{"max-in-memory-length", notNegative, "maximum memory in bytes", true},
	{"max-length", notNegative, "maximum length", true},
	{"max-length-bytes", notNegative, "maximum length in bytes", true},
	{"message-ttl", notNegative, "message TTL", true},
	{"overflow", word("drop-head", "reject-publish", "reject-publish-dlx"), "overflow value",
		false},
	{"queue-leader-locator", word("client-local", "balanced", "random", "least-leaders"),
		"queue leader locator value", false},
	{"queue-master-locator", isText, "master locator", false},
	{"queue-mode", word("default", "lazy"), "queue-mode value", false},
	{"queue-version", version, "queue-version value", false},
	{"stream-filter-size-bytes", notNegative, "filter size", false},
	{"stream-max-segment-size-bytes", notNegative, "segment size", false},
	{"target-group-size", positive, "qq target count value", true},
}

func anything(any) bool { return true }

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

func isPattern(v any) bool {
	text, ok := v.(string)
	if ok {
		_, err := newMatcher(text)
		ok = err == nil
	}
	return ok
}

func whole(v any) bool {
	_, ok := integer(v)
	return ok
}

func notNegative(v any) bool {
	n, ok := integer(v)
	return ok && n >= 0
}

func positive(v any) bool {
	n, ok := integer(v)
	return ok && n > 0
}

func version(v any) bool {
	n, ok := integer(v)
	return ok && (n == 1 || n == 2)
}

func word(words ...string) func(any) bool {
	return func(v any) bool {
		text, ok := v.(string)
		return ok && slices.Contains(words, text)
	}
}

// isAge accepts a number and a unit: years, months, days, hours, minutes or seconds.
func isAge(v any) bool {
	text, _ := v.(string)
	number := strings.TrimRight(text, "YMDhms")
	return len(text)-len(number) == 1 && number != "" && strings.Trim(number, "0123456789") == ""
}

// kindsOfPolicy are what a policy may apply to.
var kindsOfPolicy = []string{
	"all", "exchanges", "queues", "classic_queues", "quorum_queues", "streams",
}

// checkPolicy refuses a policy that RabbitMQ would, with its text, and gives the
// definition as it is stored.
func checkPolicy(p *Policy) ([]byte, error) {
	text, err := json.Marshal(p.Definition)
	if err != nil {
		return nil, notValid("definition is not JSON")
	}
	definition, err := decodeObject(text)
	if err != nil {
		return nil, notValid("definition is not JSON")
	}
	var wrong []string // the last of RabbitMQ's rules is told first
	if what := checkDefinition(definition, p.Operator); what != "" {
		wrong = append(wrong, what)
	}
	if !slices.Contains(kindsOfPolicy, p.ApplyTo) {
		wrong = append(wrong, fmt.Sprintf("apply-to '%s' unrecognised; should be one of: "+
			"'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'",
			p.ApplyTo))
	}
	if _, err := newMatcher(p.Pattern); err != nil {
		wrong = append(wrong, "pattern should be regular expression but is invalid: "+
			patternFault(p.Pattern, err))
	}
	if err := checkName("policy", p.Name); err != nil {
		wrong = append(wrong, err.Error())
	}
	if len(text) > maxValue {
		wrong = append(wrong, fmt.Sprintf("a definition is longer than %d bytes", maxValue))
	}
	if len(wrong) > 0 {
		return nil, notValid("%s", strings.Join(wrong, "\n"))
	}
	return text, nil
}

// checkDefinition says what is wrong with a definition; "" is nothing.
func checkDefinition(d map[string]any, operator bool) string {
	if len(d) == 0 {
		return "no policy provided"
	}
	var unknown []string
	for _, key := range sortedKeys(d) {
		i, ok := slices.BinarySearchFunc(policySettings, key,
			func(s policySetting, key string) int { return cmp.Compare(s.key, key) })
		switch {
		case !ok || operator && !policySettings[i].operator:
			unknown = append(unknown, "{"+parameter.Term(key)+","+parameter.Term(d[key])+"}")
		case !policySettings[i].ok(d[key]):
			return parameter.Term(d[key]) + " is not a valid " + policySettings[i].what
		}
	}
	if unknown != nil {
		return "[" + strings.Join(unknown, ",") + "] are not recognised policy settings"
	}
	_, name := d["federation-upstream"]
	_, set := d["federation-upstream-set"]
	_, pattern := d["federation-upstream-pattern"]
	if name && set || name && pattern || set && pattern {
		return "cannot specify federation-upstream, federation-upstream-set or " +
			"federation-upstream-pattern together"
	}
	return ""
}

// patternFault shows what is wrong with a pattern as RabbitMQ does: a text and a place.
func patternFault(pattern string, err error) string {
	what, at := err.Error(), len(pattern)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		what = string(e.Code)
		switch e.Code {
		case syntax.ErrMissingParen:
			what = "missing )"
		case syntax.ErrUnexpectedParen:
			what, at = "unmatched parentheses", strings.Index(pattern, ")")
		case syntax.ErrMissingBracket:
			what = "missing terminating ] for character class"
		case syntax.ErrMissingRepeatArgument:
			what, at = "nothing to repeat", strings.Index(pattern, e.Expr)
		case syntax.ErrTrailingBackslash:
			what = `\\ at end of pattern`
		}
	}
	return fmt.Sprintf(`{"%s",%d}`, what, at)
}
