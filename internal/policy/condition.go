package policy

import "strings"

// quantifier is the set qualifier of a condition operator.
type quantifier uint8

const (
	noSet quantifier = iota
	forAllValues
	forAnyValue
)

// condition is one key under one operator.
type condition struct {
	name     string // the operator as written, with qualifier and IfExists
	operator operator
	set      quantifier
	ifExists bool
	key      string // as written
	folded   string // as compared
	operands []operand
}

// String names the condition without its values.
func (c *condition) String() string { return c.name + " " + c.key }

// compile reads the operator and the values.
func (raw *rawCondition) compile(variables bool) (condition, error) {
	c := condition{name: raw.operator, key: raw.key, folded: fold(raw.key)}
	base := raw.operator
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.set = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.set = rest, forAnyValue
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	var known bool
	c.operator, known = operators[base]
	if !known || c.operator.family == ofPresence && (c.ifExists || c.set != noSet) {
		return condition{}, malformed("Invalid Condition type : %s.", raw.operator)
	}
	if !strings.Contains(raw.key, ":") {
		return condition{}, malformed("Actions/Conditions must be prefaced by a vendor, " +
			"e.g., iam, sdb, ec2, etc.")
	}
	if len(raw.values) == 0 {
		return condition{}, syntaxError("condition %s has no value", &c)
	}
	for _, s := range raw.values {
		v, err := compileOperand(c.operator, s, variables)
		if err != nil {
			return condition{}, syntaxError("condition %s: %q: %w", &c, s, err)
		}
		c.operands = append(c.operands, v)
	}
	return c, nil
}

// met reports whether the request meets c.
//
// Without a qualifier a positive operator needs one value of the request that
// matches, and a negated one that none does; AWS says only that keys with
// several values ask for a qualifier. IfExists beats ForAnyValue on a missing
// key, as the page on IfExists says without exception.
func (c *condition) met(e *evaluation) bool {
	values := e.lookup(c.folded)
	if c.operator.family == ofPresence {
		return c.presence(values.len() == 0)
	}
	if values.len() == 0 {
		return c.metMissing()
	}
	switch c.set {
	case forAllValues:
		return blank(&values) || c.all(e, &values)
	case forAnyValue:
		return !blank(&values) && c.any(e, &values)
	}
	for i := range values.len() {
		if c.matches(e, values.at(i)) {
			return !c.operator.negated
		}
	}
	return c.operator.negated
}

// presence is the Null operator: several values are alternatives.
func (c *condition) presence(absent bool) bool {
	for i := range c.operands {
		if c.operands[i].absent == absent {
			return true
		}
	}
	return false
}

// metMissing is the answer for a key that the request does not have.
func (c *condition) metMissing() bool {
	switch {
	case c.ifExists || c.set == forAllValues:
		return true
	case c.set == forAnyValue:
		return false
	}
	return c.operator.negated
}

// blank reports whether all values are empty, which the qualifiers take for no
// value.
func blank(v *valueList) bool {
	for i := range v.len() {
		if v.at(i) != "" {
			return false
		}
	}
	return true
}

// all asks each value for what c wants of one.
func (c *condition) all(e *evaluation, v *valueList) bool {
	for i := range v.len() {
		if c.matches(e, v.at(i)) == c.operator.negated {
			return false
		}
	}
	return true
}

// any asks for one value that c wants.
func (c *condition) any(e *evaluation, v *valueList) bool {
	for i := range v.len() {
		if c.matches(e, v.at(i)) != c.operator.negated {
			return true
		}
	}
	return false
}

// matches reports whether a value matches one operand, negation aside.
func (c *condition) matches(e *evaluation, s string) bool {
	for i := range c.operands {
		if c.operands[i].test(e, c.operator, s) {
			return true
		}
	}
	return false
}
