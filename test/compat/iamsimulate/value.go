package iamsimulate

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// keyInfo is a condition key and values that requests and policies draw from.
type keyInfo struct {
	name    string
	family  string // of the operators that fit
	multi   bool   // has several values by its type
	derived bool   // follows from the request
	action  string // prefix of the actions that have it; empty for all
	values  []string
}

// keys are those of the generator, one of every type at least.
func keys() []keyInfo {
	return []keyInfo{
		{name: "aws:PrincipalTag/team", family: "String", values: list("blue red Blue green*")},
		{name: "aws:PrincipalTag/Cost", family: "String", values: list("12 120 12?")},
		{name: "aws:RequestTag/env", family: "String", values: list("prod dev Prod")},
		{name: "aws:UserAgent", family: "String", values: list("cli/2.0 boto3/1.0 $x")},
		{name: "aws:SourceVpc", family: "String", values: list("vpc-1 vpc-2")},
		{name: "aws:RequestedRegion", family: "String", values: list("us-east-1 eu-west-1")},
		{name: "aws:SourceAccount", family: "String", values: list(accountA + " " + accountB)},
		{name: "aws:PrincipalAccount", family: "String", derived: true,
			values: list(accountA + " " + accountB)},
		{name: "aws:PrincipalType", family: "String", derived: true,
			values: list("User AssumedRole Account FederatedUser Anonymous")},
		{name: "aws:username", family: "String", derived: true, values: list("alice bob")},
		{name: "aws:ResourceAccount", family: "String", derived: true,
			values: list(accountA + " " + accountB)},
		{name: "aws:TagKeys", family: "String", multi: true, values: list("team env cost Team")},
		{name: "aws:CalledVia", family: "String", multi: true,
			values: list("athena.amazonaws.com glue.amazonaws.com")},
		{name: "aws:MultiFactorAuthAge", family: "Numeric",
			values: list("0 59 60 3600 3600.5 -1 9007199254740993")},
		{name: "aws:TokenIssueTime", family: "Date", values: list("2026-01-01T00:00:00Z " +
			"2026-03-01T12:00:00Z 2026-03-01T12:00:00.5Z 2026-06-01T00:00:00+02:00")},
		{name: "aws:CurrentTime", family: "Date", derived: true,
			values: list("2026-01-01T00:00:00Z 2026-03-01T12:00:00Z 2027-01-01 2027")},
		{name: "aws:EpochTime", family: "Date", derived: true,
			values: list("1772366400 1772366399 1772366401")},
		{name: "aws:SecureTransport", family: "Bool", values: list("true false")},
		{name: "aws:MultiFactorAuthPresent", family: "Bool", values: list("true false True")},
		{name: "aws:PrincipalIsAWSService", family: "Bool", derived: true,
			values: list("true false")},
		{name: "aws:RequestTag/bin", family: "Binary", values: list("AAH/ QUJD AAA=")},
		{name: "aws:SourceIp", family: "Ip", values: list("203.0.113.7 203.0.113.200 " +
			"198.51.100.1 2001:db8::1 2001:db8:1:2:3:4:5:6")},
		{name: "aws:VpcSourceIp", family: "Ip", values: list("10.0.0.1 10.1.0.1")},
		{name: "aws:SourceArn", family: "Arn", values: list("arn:aws:sns:us-east-1:" + accountA +
			":topic arn:aws:sqs:eu-west-1:" + accountB + ":q:x arn:aws:s3:::bucket/key")},
		{name: "aws:PrincipalArn", family: "Arn", derived: true, values: list("arn:aws:iam::" +
			accountA + ":user/alice arn:aws:iam::" + accountA + ":role/app arn:aws:iam::" +
			accountB + ":role/app arn:aws:iam::" + accountB + ":user/alice")},
		{name: "kms:ViaService", family: "String", action: "kms:",
			values: list("sqs.us-east-1.amazonaws.com mq.us-east-1.amazonaws.com")},
		{name: "kms:EncryptionContextKeys", family: "String", action: "kms:", derived: true,
			multi: true, values: list("app zone App")},
		{name: "sts:ExternalId", family: "String", action: "sts:", values: list("12345 x")},
	}
}

func list(words string) []string { return strings.Fields(words) }

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// operators are the operators of each family.
func operators(family string) []string {
	switch family {
	case "String":
		return list("StringEquals StringNotEquals StringEqualsIgnoreCase " +
			"StringNotEqualsIgnoreCase StringLike StringNotLike")
	case "Numeric", "Date":
		var out []string
		for _, op := range list("Equals NotEquals LessThan LessThanEquals GreaterThan " +
			"GreaterThanEquals") {
			out = append(out, family+op)
		}
		return out
	case "Bool":
		return list("Bool")
	case "Binary":
		return list("BinaryEquals")
	case "Ip":
		return list("IpAddress NotIpAddress")
	}
	return list("ArnEquals ArnLike ArnNotEquals ArnNotLike")
}

// families are all that operators have.
func families() []string { return list("String Numeric Date Bool Binary Ip Arn") }

// allOperators are the operators without qualifier and IfExists.
func allOperators() []string {
	out := []string{"Null"}
	for _, f := range families() {
		out = append(out, operators(f)...)
	}
	return out
}

// source draws what a case is made of.
type source struct {
	*rand.Rand
	keys []keyInfo
}

func (r source) in(n, of int) bool { return r.IntN(of) < n }

func pick[T any](r source, from []T) T { return from[r.IntN(len(from))] }

// condition draws a condition whose key the request has, mostly.
func (r source) condition(s *scene) condition {
	var k keyInfo
	for {
		k = pick(r, r.keys)
		if k.action == "" || strings.HasPrefix(s.action, k.action) {
			break
		}
	}
	c := condition{key: k.name}
	if r.in(1, 12) {
		c.operator, c.values = "Null", []string{pick(r, list("true false"))}
		return c
	}
	c.operator = pick(r, operators(k.family))
	for range 1 + r.IntN(2) {
		c.values = append(c.values, r.operand(s, k, c.operator))
	}
	slices.Sort(c.values)
	c.values = slices.Compact(c.values)
	if k.multi && !r.in(1, 30) || r.in(1, 12) {
		c.operator = pick(r, list("ForAllValues: ForAnyValue:")) + c.operator
	}
	if r.in(1, 5) {
		c.operator += "IfExists"
	}
	if r.in(1, 6) {
		c.key = strings.ToLower(c.key)
	}
	return c
}

// operand draws a value of a policy for a key.
func (r source) operand(s *scene, k keyInfo, operator string) string {
	v := pick(r, k.values)
	if have := s.context[k.name]; len(have) > 0 && have[0] != "nonsense" && r.in(2, 3) {
		v = pick(r, have)
	} else if d := s.derived()[k.name]; d != "" && r.in(1, 2) {
		v = d
	}
	switch k.family {
	case "String":
		return r.text(v, operator)
	case "Arn":
		return r.name(v)
	case "Ip":
		if r.in(1, 2) && !strings.Contains(v, ":") {
			return v + pick(r, list("/24 /16 /32 /8"))
		}
		if r.in(1, 2) && strings.Contains(v, ":") {
			return v + pick(r, list("/64 /32 /128"))
		}
	}
	return v
}

// text makes a value a pattern, or one with a variable.
func (r source) text(v, operator string) string {
	if r.in(1, 8) {
		return pick(r, []string{"${aws:username}", "${aws:PrincipalTag/team}", "${*}", "${?}",
			"${aws:RequestTag/env, 'prod'}", "${aws:PrincipalTag/none, 'blue'}", "${$}x",
			"${aws:principalaccount}", "${aws:TagKeys}"})
	}
	if !strings.Contains(operator, "Like") || len(v) == 0 {
		return v
	}
	switch r.IntN(5) {
	case 0:
		return "*"
	case 1:
		return v[:r.IntN(len(v))] + "*"
	case 2:
		at := r.IntN(len(v))
		return v[:at] + "?" + v[at+1:]
	case 3:
		return "*" + v[r.IntN(len(v)):]
	}
	return v
}

// name makes an ARN a pattern.
func (r source) name(v string) string {
	parts := strings.SplitN(v, ":", 6)
	for i := 2; i < 6; i++ {
		if r.in(1, 5) {
			parts[i] = "*"
		}
	}
	if r.in(1, 6) {
		parts[5] = "*" + parts[5][len(parts[5])/2:]
	}
	if r.in(1, 10) {
		parts[5] += "${aws:username}"
	}
	return strings.Join(parts, ":")
}
