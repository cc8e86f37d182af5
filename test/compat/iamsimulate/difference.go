package iamsimulate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/internal/policy"
)

// difference is one thing in which the evaluators differ on purpose.
// DIFFERENCES.md has a paragraph of its name.
type difference struct {
	name string
	// rewrite changes a scene to what the other evaluator takes it for, and
	// reports whether there was anything to change.
	rewrite func(*scene) bool
}

// differences are all that are known, in the order in which they are applied.
func differences() []difference {
	return []difference{
		{"version", (*scene).forgetVersion},
		{"short ARN", (*scene).padARNs},
		{"wildcard in the type of a resource", (*scene).dropTypePatterns},
		{"NotResource with a variable without a value", (*scene).voidNotResource},
		{"several values without a set operator", perCondition(severalWithoutSet)},
		{"variable with several values", perCondition(severalInVariable)},
		{"empty values under a set operator", perCondition(emptyUnderSet)},
		{"ForAnyValue with IfExists", perCondition(anyIfExists)},
		{"variable without a value, negated", perCondition(nullNegated)},
		{"value of another type, negated", perCondition(otherType)},
		{"address of the other version, negated", perCondition(otherVersion)},
		{"year", perCondition(year)},
		{"root user", (*scene).rootAsUser},
		{"federated user without session policy", (*scene).giveSession},
		{"session named in the resource policy", (*scene).limitSession},
		{"NotPrincipal", (*scene).completeNotPrincipal},
	}
}

// explain names the differences because of which the other decided otherwise,
// or nothing.
func (s *scene) explain(theirs decision) ([]string, error) {
	var names []string
	all := s.clone()
	for _, d := range differences() {
		one := s.clone()
		if d.rewrite(one) {
			if got, _, err := one.decide(); err != nil || got == theirs {
				return []string{d.name}, err
			}
		}
		if d.rewrite(all) {
			names = append(names, d.name)
		}
	}
	got, _, err := all.decide()
	if err != nil || got != theirs {
		return nil, err
	}
	return names, nil
}

// never is a condition that nothing meets.
func never() condition {
	return condition{operator: "Bool", key: "never:met", values: []string{"true"}}
}

// perCondition rewrites each condition.
func perCondition(rewrite func(*scene, *condition) bool) func(*scene) bool {
	return func(s *scene) bool {
		changed := false
		for _, d := range s.documents() {
			for i := range d.statements {
				for j := range d.statements[i].conditions {
					changed = rewrite(s, &d.statements[i].conditions[j]) || changed
				}
			}
		}
		return changed
	}
}

// values gives a key's values, whatever they follow from.
func (s *scene) values(key string) []string {
	for k, v := range s.variables() {
		if !strings.EqualFold(k, key) {
			continue
		}
		if one, ok := v.(string); ok {
			return []string{one}
		}
		many, _ := v.([]string)
		return many
	}
	return nil
}

// multi reports whether a key has several values by its type.
func multi(key string) bool {
	return slices.ContainsFunc(keys(), func(k keyInfo) bool {
		return k.multi && strings.EqualFold(k.name, key)
	})
}

func severalWithoutSet(s *scene, c *condition) bool {
	if c.base() == "Null" || c.set() != "" || !multi(c.key) || s.values(c.key) == nil {
		return false
	}
	*c = never()
	return true
}

const multiVariable = "${aws:TagKeys}"

func severalInVariable(s *scene, c *condition) bool {
	i := slices.Index(c.values, multiVariable)
	if i < 0 || len(s.values("aws:TagKeys")) != 1 {
		return false
	}
	c.values[i] = "${aws:PrincipalTag/absent}"
	return true
}

func emptyUnderSet(s *scene, c *condition) bool {
	v := s.values(c.key)
	if c.set() == "" || len(v) != 1 || v[0] != "" {
		return false
	}
	c.operator = c.operator[len(c.set())+1:]
	return true
}

func anyIfExists(_ *scene, c *condition) bool {
	if c.set() != "ForAnyValue" || !c.ifExists() {
		return false
	}
	c.operator = strings.TrimSuffix(c.operator, "IfExists")
	return true
}

func nullNegated(s *scene, c *condition) bool {
	if !c.negated() || s.values(c.key) == nil {
		return false
	}
	for _, v := range c.values {
		_, rest, found := strings.Cut(v, "${")
		key, _, _ := strings.Cut(rest, "}")
		if found && !strings.ContainsAny(key, "*?$,") &&
			(len(s.values(key)) != 1 || multi(key)) {
			*c = never()
			return true
		}
	}
	return false
}

func otherType(s *scene, c *condition) bool {
	if !c.negated() || !slices.Contains(s.values(c.key), "nonsense") {
		return false
	}
	*c = never()
	return true
}

func otherVersion(s *scene, c *condition) bool {
	if c.base() != "NotIpAddress" {
		return false
	}
	for _, v := range s.values(c.key) {
		have, err := netip.ParseAddr(v)
		for _, operand := range c.values {
			want, bad := netip.ParseAddr(operand)
			if err == nil && bad == nil && have.Is4() != want.Is4() {
				*c = never()
				return true
			}
		}
	}
	return false
}

func year(_ *scene, c *condition) bool {
	changed := false
	for i, v := range c.values {
		n, err := strconv.Atoi(v)
		if err == nil && len(v) == 4 && strings.HasPrefix(c.base(), "Date") {
			c.values[i] = time.UnixMilli(int64(n)).UTC().Format(time.RFC3339Nano)
			changed = true
		}
	}
	return changed
}

// holds reports whether a condition is met in a scene's request: whether a Deny
// of it to everyone applies.
func holds(r policy.Request, c condition) (bool, error) {
	d := document{version: "2012-10-17", statements: []statement{{deny: true,
		actions: []string{"*"}, resources: []string{"*"}, principals: []name{{"AWS", "*"}},
		conditions: []condition{c}}}}
	r.Identity, r.Session, r.Boundary = nil, nil, policy.Policy{}
	var err error
	if r.ResourcePolicy, err = d.parse("one", policy.Resource); err != nil {
		return false, err
	}
	decided := policy.Evaluate(r)
	return decided.ExplicitDeny(), nil
}
