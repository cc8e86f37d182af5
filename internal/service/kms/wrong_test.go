package kms

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	api "coffer/internal/aws/api/kms"
)

// wrongNames are names of keys that no operation accepts, with AWS's codes.
func wrongNames() map[string]string {
	const missing = "0d8e3a5e-6f1f-4b70-9f7e-000000000000"
	return map[string]string{
		"":                                       "ValidationException: ",
		strings.Repeat("k", 2049):                "ValidationException: ",
		"a key":                                  "NotFoundException: Invalid keyId 'a key'",
		missing:                                  "NotFoundException: Key 'arn:aws:kms:us-east-1:",
		strings.ToUpper(missing):                 "NotFoundException: Key 'arn:aws:kms:us-east-1:",
		"{" + missing + "}":                      "NotFoundException: Invalid keyId",
		"urn:uuid:" + missing:                    "NotFoundException: Invalid keyId",
		strings.ReplaceAll(missing, "-", ""):     "NotFoundException: Invalid keyId",
		"arn:":                                   "InvalidArnException: ",
		"arn:aws:kms:us-east-1:" + home + ":key": "InvalidArnException: ",
		"arn:aws:kms:us-east-1:" + home + ":key/":                 "NotFoundException: ",
		"arn:aws:kms:us-east-1:" + home + ":key/" + missing + "x": "NotFoundException: ",
		"arn:aws:kms:us-east-1:" + home + ":keys/" + missing:      "InvalidArnException: ",
		"arn:aws:sqs:us-east-1:" + home + ":key/" + missing:       "InvalidArnException: ",
		"arn:aws-cn:kms:us-east-1:" + home + ":key/" + missing:    "InvalidArnException: ",
		"arn:aws:kms:us-east-1:11112222333:key/" + missing:        "InvalidArnException: ",
		"arn:aws:kms:eu-west-1:" + home + ":key/" + missing:       "NotFoundException: Invalid arn",
		"arn:aws:kms:us-east-1:" + home + ":key/" + missing:       "NotFoundException: Key '",
		"key\x00" + missing: "NotFoundException: Invalid keyId",
	}
}

// TestWrongNames asks every operation that names a key for keys that cannot be,
// and has a refusal of AWS's for each, never a failure of ours.
func TestWrongNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.tables()
	tried := 0
	for _, row := range operations() {
		for name, want := range wrongNames() {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			in := strings.NewReplacer(`"%k"`, string(quoted), "%g", strings.Repeat("a", 64),
				"%c", "bm9uZQ==", "%s", symmetric, "%p", "{}", "%a", "alias/none").Replace(row.in)
			if !strings.Contains(row.in, "%k") {
				continue
			}
			tried++
			got := w.do("root", row.op, in)
			switch {
			case row.op == "RetireGrant" && !strings.HasPrefix(name, "arn:") &&
				!strings.HasPrefix(want, "Validation"):
				want = "InvalidArnException: Invalid arn " // it takes ARNs only
			case row.op == "ListAliases" && name == "":
				continue // no key is named: all aliases
			}
			if !strings.HasPrefix(got, "400 "+want) {
				t.Errorf("%s of %.60q: %s, want %s", row.op, name, got, want)
			}
		}
	}
	if after := w.tables(); tried < 400 || len(after) != len(before) {
		t.Errorf("%d requests; rows %v, before %v", tried, after, before)
	}
}

// TestBoundsBeforeDecision: what a decision would compare is bounded before it is made,
// for whoever asks. A key's policy may hold thousands of patterns.
func TestBoundsBeforeDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key("root", object{})
	pairs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"pair%05d":""`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for op, c := range map[string]struct{ in, want string }{
		"Encrypt": {`"Plaintext":"YQ==","EncryptionContext":` + pairs(911),
			"The encryption context has 8199 bytes"},
		"GenerateDataKey": {`"KeySpec":"AES_256","EncryptionContext":` + pairs(911),
			"The encryption context has 8199 bytes"},
		"CreateGrant": {`"GranteePrincipal":"arn:aws:iam::` + home + `:root",` +
			`"Operations":["Decrypt"],"Constraints":{"EncryptionContextSubset":` + pairs(9) + `}`,
			"A grant constraint can have 8 pairs at most."},
	} {
		got := w.do("dave", op, `{"KeyId":"`+key+`",`+c.in+`}`)
		if !strings.HasPrefix(got, "400 ValidationException: "+c.want) {
			t.Errorf("%s: %s", op, got)
		}
	}
}

// TestWrongMembers sends each operation each of its members as another JSON type.
func TestWrongMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	for i, row := range operations() {
		if _, ok := api.API.Op(row.op); !ok {
			t.Fatal(row.op)
		}
		in := w.fill(row.in, name, kinds[0], fmt.Sprint("alias/wrong-", i))
		var members map[string]any
		if err := json.Unmarshal([]byte(in), &members); err != nil {
			t.Fatal(in, err)
		}
		for member, right := range members {
			for _, wrong := range []any{[]any{1}, map[string]any{"a": []any{}}, -1.5, true} {
				members[member] = wrong
				body, err := json.Marshal(members)
				if err != nil {
					t.Fatal(err)
				}
				got := w.do("root", row.op, string(body))
				if !strings.HasPrefix(got, "400 SerializationException") &&
					!strings.HasPrefix(got, "400 ValidationException") {
					t.Errorf("%s with %s %v: %s", row.op, member, wrong, got)
				}
			}
			members[member] = right
		}
		w.clean(name)
	}
}
