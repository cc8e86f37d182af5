package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// holds evaluates one operator on the key test:k with the request's values.
func holds(t *testing.T, operator, operands string, values ...string) bool {
	t.Helper()
	doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",
		"Resource":"*","Condition":{%q:{"TEST:k":%s}}}]}`, operator, operands)
	d, err := Parse([]byte(doc), Identity)
	if err != nil {
		t.Fatalf("%s %s: %v", operator, operands, err)
	}
	r := Request{Principal: testUser("111122223333", "alice"), Action: "a:B", Resource: "*",
		Identity: []Policy{{"p", d}}}
	r.Context.Add("test:K", values...)
	return Evaluate(r).Allowed
}

// TestOperators gives each operator a value that matches and one that does
// not; the negated form must say the opposite of both.
func TestOperators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ operator, negated, operands, match, other string }{
		{"StringEquals", "StringNotEquals", `["x","a*"]`, "a*", "ab"},
		{"StringEquals", "StringNotEquals", `"x"`, "x", "X"},
		{"StringEquals", "StringNotEquals", `"u-${aws:username}"`, "u-alice", "u-bob"},
		{"StringEquals", "StringNotEquals", `5`, "5", "5.0"},
		{"StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", `"xÉ"`, "Xé", "xe"},
		{"StringLike", "StringNotLike", `["x","a*b?"]`, "a--bc", "a--b"},
		{"StringLike", "StringNotLike", `"${*}*"`, "*x", "xx"},
		{"StringLike", "StringNotLike", `""`, "", "x"},
		{"NumericEquals", "NumericNotEquals", `["1","10"]`, "10.0", "11"},
		{"NumericEquals", "NumericNotEquals", `9007199254740993`, "9007199254740993",
			"9007199254740992"},
		{"NumericEquals", "NumericNotEquals", `1`, "1e0", "one"},
		{"NumericLessThan", "", `10`, "9.99", "10"},
		{"NumericLessThanEquals", "", `10`, "10", "10.01"},
		{"NumericGreaterThan", "", `10`, "11", "10"},
		{"NumericGreaterThanEquals", "", `-10`, "-10", "-11"},
		{"DateEquals", "DateNotEquals", `"2026-01-02T03:04:05Z"`, "2026-01-02T05:04:05+02:00",
			"2026-01-02T03:04:06Z"},
		{"DateEquals", "DateNotEquals", `"2026"`, "2026-01-01", "2026-02"},
		{"DateEquals", "DateNotEquals", `1767225600`, "2026-01-01T00:00Z", "yesterday"},
		{"DateLessThan", "", `"2026-01-02"`, "2026-01-01T23:59:59.999Z", "2026-01-02"},
		{"DateLessThanEquals", "", `"2026-01-02"`, "2026-01-02", "2026-01-02T00:00:01Z"},
		{"DateGreaterThan", "", `"1767225600.5"`, "1767225600.75", "1767225600"},
		{"DateGreaterThanEquals", "", `"2026-01-02"`, "2026-01-02", "2026-01-01"},
		{"Bool", "", `true`, "true", "false"},
		{"Bool", "", `"False"`, "false", "no"},
		{"BinaryEquals", "", `"AAH/"`, "\x00\x01\xff", "AAH/"},
		{"IpAddress", "NotIpAddress", `["203.0.113.7/24","2001:db8::/32"]`, "203.0.113.200",
			"203.0.114.1"},
		{"IpAddress", "NotIpAddress", `["203.0.113.7","2001:db8::/32"]`, "2001:db8:1::1",
			"203.0.113.8"},
		{"IpAddress", "NotIpAddress", `"203.0.113.7"`, "::ffff:203.0.113.7", "mq.amazonaws.com"},
		{"ArnEquals", "ArnNotEquals", `"arn:aws:sqs:*:111122223333:q?"`,
			"arn:aws:sqs:us-east-1:111122223333:q1", "arn:aws:sqs:us-east-1:444455556666:q1"},
		{"ArnLike", "ArnNotLike", `"arn:aws:svc:*:111122223333:finance/*"`,
			"arn:aws:svc:us-east-2:111122223333:finance/document.txt",
			"arn:aws:svc:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"},
		{"ArnLike", "ArnNotLike", `"arn:aws:iam::*:user/${aws:username}"`,
			"arn:aws:iam::111122223333:user/alice", "alice"},
	} {
		if !holds(t, c.operator, c.operands, c.match) {
			t.Errorf("%s %s: not met by %q", c.operator, c.operands, c.match)
		}
		if holds(t, c.operator, c.operands, c.other) {
			t.Errorf("%s %s: met by %q", c.operator, c.operands, c.other)
		}
		if c.negated == "" {
			continue
		}
		if holds(t, c.negated, c.operands, c.match) {
			t.Errorf("%s %s: met by %q", c.negated, c.operands, c.match)
		}
		if !holds(t, c.negated, c.operands, c.other) {
			t.Errorf("%s %s: not met by %q", c.negated, c.operands, c.other)
		}
	}
}

// operandOf is an operand that every operator of a name takes.
func operandOf(name string) string {
	switch {
	case strings.HasPrefix(name, "Numeric"):
		return `"1"`
	case strings.HasPrefix(name, "Date"):
		return `"2026-01-01"`
	case name == "Bool" || name == "Null":
		return `"true"`
	case name == "BinaryEquals":
		return `"AAAA"`
	case strings.HasSuffix(name, "IpAddress"):
		return `"203.0.113.1"`
	case strings.HasPrefix(name, "Arn"):
		return `"arn:aws:sqs:r:111122223333:q"`
	}
	return `"x"`
}

// TestMissingKey asks every operator in every form about a key that is absent.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	for name, o := range operators {
		v := operandOf(name)
		if name == "Null" {
			if !holds(t, name, `"true"`) || holds(t, name, `"false"`) {
				t.Error("Null on a missing key")
			}
			if holds(t, name, `"true"`, "") || !holds(t, name, `"false"`, "") {
				t.Error("Null on a key that is there")
			}
			continue
		}
		for form, want := range map[string]bool{
			name: o.negated, name + "IfExists": true,
			"ForAllValues:" + name: true, "ForAllValues:" + name + "IfExists": true,
			"ForAnyValue:" + name: false, "ForAnyValue:" + name + "IfExists": true,
		} {
			if got := holds(t, form, v); got != want {
				t.Errorf("%s on a missing key: %v", form, got)
			}
		}
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operator string
		operands string
		values   string // separated by spaces; "-" is the empty string
		want     bool
	}{
		{"ForAllValues:StringEquals", `["a","b"]`, "a", true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a b a", true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a c", false},
		{"ForAllValues:StringEquals", `["a","b"]`, "-", true},
		{"ForAllValues:StringEquals", `["a","b"]`, "a -", false},
		{"ForAllValues:StringNotEquals", `["a","b"]`, "c d", true},
		{"ForAllValues:StringNotEquals", `["a","b"]`, "c a", false},
		{"ForAllValues:StringLike", `"k1*"`, "k1 k12", true},
		{"ForAnyValue:StringEquals", `["a","b"]`, "c b", true},
		{"ForAnyValue:StringEquals", `["a","b"]`, "c d", false},
		{"ForAnyValue:StringEquals", `["a",""]`, "-", false},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, "a c", true},
		{"ForAnyValue:StringNotEquals", `["a","b"]`, "a b", false},
		{"ForAnyValue:NumericLessThanIfExists", `5`, "9 4", true},
		{"StringEquals", `["a","b"]`, "c b", true},
		{"StringEquals", `["a","b"]`, "c d", false},
		{"StringNotEquals", `["a","b"]`, "c d", true},
		{"StringNotEquals", `["a","b"]`, "c b", false},
		{"StringNotEqualsIfExists", `"a"`, "a", false},
		{"StringEqualsIfExists", `"a"`, "b", false},
	} {
		values := strings.Fields(c.values)
		for i := range values {
			values[i] = strings.TrimPrefix(values[i], "-")
		}
		if got := holds(t, c.operator, c.operands, values...); got != c.want {
			t.Errorf("%s %s on %q: %v", c.operator, c.operands, values, got)
		}
	}
}

// TestUnresolvedVariable: nothing is equal or like a value that is not there.
func TestUnresolvedVariable(t *testing.T) {
	t.Parallel()
	if holds(t, "StringEquals", `"${aws:PrincipalTag/t}"`, "") {
		t.Error("StringEquals matches null")
	}
	if !holds(t, "StringNotEquals", `"${aws:PrincipalTag/t}"`, "x") {
		t.Error("StringNotEquals does not match null")
	}
}

// allowedIf evaluates a request against one Allow with a condition.
func allowedIf(t *testing.T, r Request, condition string) bool {
	t.Helper()
	d, err := Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Principal":"*","Action":"*","Resource":"*","Condition":`+condition+`}}`), Resource)
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	r.ResourcePolicy = Policy{"p", d}
	return Evaluate(r).Allowed
}

// TestEncryptionContextKeys_KMS20: the name in kms:EncryptionContext:name has
// no case; kms:EncryptionContextKeys is how a policy asks for it.
func TestEncryptionContextKeys_KMS20(t *testing.T) {
	t.Parallel()
	const keys = "kms:EncryptionContextKeys"
	r := Request{Principal: testUser("111122223333", "alice"), Action: "kms:Decrypt",
		Resource: "arn:aws:kms:r:111122223333:key/1", RootOfTrust: true,
		EncryptionContext: map[string]string{"AppName": "A", "aws:sqs:arn": "q"}}
	r.Context.Add("kms:EncryptionContext:Spoofed", "A")
	for _, c := range []struct {
		operator, key, value string
		want                 bool
	}{
		{"StringEquals", "kms:EncryptionContext:appname", `"A"`, true},
		{"StringEquals", "KMS:encryptioncontext:AppName", `"A"`, true},
		{"StringEquals", "kms:EncryptionContext:AppName", `"a"`, false},
		{"StringEqualsIgnoreCase", "kms:EncryptionContext:AppName", `"a"`, true},
		{"StringEquals", "kms:EncryptionContext:aws:sqs:arn", `"q"`, true},
		{"StringEquals", "kms:EncryptionContext:Spoofed", `"A"`, false},
		{"StringEquals", "kms:EncryptionContext:AppName", `"${kms:EncryptionContext:appname}"`,
			true},
		{"ForAllValues:StringEquals", keys, `["AppName","aws:sqs:arn"]`, true},
		{"ForAllValues:StringEquals", keys, `["appname","aws:sqs:arn"]`, false},
		{"ForAnyValue:StringEquals", keys, `"AppName"`, true},
		{"Null", keys, `"false"`, true},
		{"Null", "kms:EncryptionContext:none", `"true"`, true},
	} {
		condition := fmt.Sprintf(`{%q:{%q:%s}}`, c.operator, c.key, c.value)
		if got := allowedIf(t, r, condition); got != c.want {
			t.Errorf("%s: %v", condition, got)
		}
	}
	r.EncryptionContext = map[string]string{"a": "1", "A": "2"}
	if !allowedIf(t, r, `{"ForAllValues:StringEquals":{"kms:EncryptionContext:a":["1","2"]}}`) {
		t.Error("names that differ in case are not two values")
	}
	if allowedIf(t, r, `{"ForAllValues:StringEquals":{"kms:EncryptionContext:a":"1"}}`) {
		t.Error("one of two values is lost")
	}
}

// TestDerivedKeys: what follows from the request cannot be overridden.
func TestDerivedKeys(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	federated := Principal{Kind: FederatedUser, Account: "111122223333", UserID: "111122223333:bot",
		ARN:    "arn:aws:sts::111122223333:federated-user/bot",
		Issuer: "arn:aws:iam::111122223333:user/alice"}
	for _, c := range []struct {
		p         Principal
		key, want string // want "" is an absent key
	}{
		{RootPrincipal("111122223333"), "aws:PrincipalArn", "arn:aws:iam::111122223333:root"},
		{RootPrincipal("111122223333"), "aws:PrincipalType", "Account"},
		{RootPrincipal("111122223333"), "aws:userid", "111122223333"},
		{testUser("111122223333", "alice"), "aws:username", "alice"},
		{testUser("111122223333", "alice"), "aws:PrincipalType", "User"},
		{testUser("111122223333", "alice"), "kms:CallerAccount", "111122223333"},
		{testUser("111122223333", "alice"), "aws:ResourceAccount", "111122223333"},
		{testUser("111122223333", "alice"), "aws:PrincipalServiceName", ""},
		{testUser("111122223333", "alice"), "aws:CurrentTime", "2026-03-01T12:00:00Z"},
		{testUser("111122223333", "alice"), "aws:EpochTime", "1772366400"},
		{testSession("111122223333", "app", "s"), "aws:PrincipalArn",
			"arn:aws:iam::111122223333:role/app"},
		{testSession("111122223333", "app", "s"), "aws:username", ""},
		{testSession("111122223333", "app", "s"), "aws:userid", "AROAEXAMPLE000000001:s"},
		{testSession("111122223333", "app", "s"), "aws:PrincipalType", "AssumedRole"},
		{federated, "aws:PrincipalArn", federated.ARN},
		{federated, "aws:PrincipalType", "FederatedUser"},
		{ServicePrincipal("mq.amazonaws.com"), "aws:PrincipalServiceName", "mq.amazonaws.com"},
		{ServicePrincipal("mq.amazonaws.com"), "aws:PrincipalIsAWSService", "true"},
		{ServicePrincipal("mq.amazonaws.com"), "aws:PrincipalAccount", ""},
	} {
		r := Request{Principal: c.p, Action: "sqs:SendMessage", Time: when,
			Resource: "arn:aws:sqs:r:111122223333:q", Session: nil}
		r.Context.Add(c.key, "spoofed")
		condition := fmt.Sprintf(`{"StringEquals":{%q:%q}}`, c.key, c.want)
		if c.want == "" {
			condition = fmt.Sprintf(`{"Null":{%q:"true"}}`, c.key)
		}
		if !allowedIf(t, r, condition) {
			t.Errorf("%s of %s is not %q", c.key, &c.p, c.want)
		}
	}
}
