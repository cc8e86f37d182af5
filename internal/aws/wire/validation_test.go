package wire_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"coffer/internal/aws/api/iam"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/mq"
	"coffer/internal/aws/api/sts"
	"coffer/internal/aws/wire"
)

// decodeError decodes a request and gives "Code: text", or "" for a good one.
func decodeError(t *testing.T, api *wire.API, name string, r *wire.Request) string {
	t.Helper()
	op, ok := api.Op(name)
	if !ok {
		t.Fatalf("no operation %s", name)
	}
	err := compile(t, api).Decode(op, r, op.In())
	if err == nil {
		return ""
	}
	f, ok := errors.AsType[wire.Fault](err)
	if !ok {
		t.Fatalf("%v is no fault", err)
	}
	code, status := f.Fault()
	if status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	return code + ": " + err.Error()
}

const keyID = `"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"`

// TestValidationTexts has AWS's wording; KMS-04 is the limit of 4096 bytes.
func TestValidationTexts(t *testing.T) {
	long := strings.Repeat("a", 2049)
	for _, c := range []struct{ name, op, body, want string }{
		{"good", "Encrypt", `{` + keyID + `,"Plaintext":"aGk="}`, ""},
		{"absent body", "Encrypt", ``, "2 validation errors detected: " +
			"Value null at 'keyId' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'plaintext' failed to satisfy constraint: Member must not be null"},
		{"null member", "DescribeKey", `{"KeyId":null}`, "1 validation error detected: " +
			"Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
		{"long", "DescribeKey", `{"KeyId":"` + long + `"}`, "1 validation error detected: " +
			"Value '" + long + "' at 'keyId' failed to satisfy constraint: " +
			"Member must have length less than or equal to 2048"},
		{"short", "DescribeKey", `{"KeyId":""}`, "1 validation error detected: " +
			"Value '' at 'keyId' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 1"},
		{"range", "ListKeys", `{"Limit":0}`, "1 validation error detected: " +
			"Value '0' at 'limit' failed to satisfy constraint: " +
			"Member must have value greater than or equal to 1"},
		{"range up", "ListKeys", `{"Limit":1001}`, "1 validation error detected: " +
			"Value '1001' at 'limit' failed to satisfy constraint: " +
			"Member must have value less than or equal to 1000"},
		{"pattern", "CreateAlias", `{"AliasName":"a b","TargetKeyId":"k"}`,
			"1 validation error detected: Value 'a b' at 'aliasName' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
		{"enum", "CreateKey", `{"Origin":"MOON"}`, "1 validation error detected: " +
			"Value 'MOON' at 'origin' failed to satisfy constraint: Member must satisfy enum value set: " +
			"[AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]"},
		{"secret", "CreateCustomKeyStore", `{"CustomKeyStoreName":"n","KeyStorePassword":"hush"}`,
			"1 validation error detected: Value at 'keyStorePassword' failed to satisfy constraint: " +
				"Member must have length greater than or equal to 7"},
		{"4096 bytes", "Encrypt", plaintext(4096), ""},
		{"4097 bytes", "Encrypt", plaintext(4097), "1 validation error detected: " +
			"Value at 'plaintext' failed to satisfy constraint: " +
			"Member must have length less than or equal to 4096"},
		{"nested", "TagResource", `{` + keyID + `,"Tags":[{"TagKey":"a","TagValue":"b"},{"TagKey":""}]}`,
			"2 validation errors detected: " +
				"Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: " +
				"Member must have length greater than or equal to 1; " +
				"Value null at 'tags.2.member.tagValue' failed to satisfy constraint: " +
				"Member must not be null"},
		{"null item", "TagResource", `{` + keyID + `,"Tags":[null]}`, "1 validation error detected: " +
			"Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null"},
		{"list items", "UntagResource", `{` + keyID + `,"TagKeys":["a",""]}`,
			"1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: " +
				"Member must satisfy constraint: [Member must have length less than or equal to 128, " +
				"Member must have length greater than or equal to 1]"},
		{"last wins", "DescribeKey", `{"KeyId":"","KeyId":"k"}`, ""},
		{"last is null", "DescribeKey", `{"KeyId":"k","KeyId":null}`, "1 validation error detected: " +
			"Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want != "" {
				want = "ValidationException: " + want
			}
			got := decodeError(t, &kms.API, c.op, &wire.Request{Body: []byte(c.body)})
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func plaintext(n int) string {
	b := base64.StdEncoding.EncodeToString(make([]byte, n))
	return `{` + keyID + `,"Plaintext":"` + b + `"}`
}

func TestQueryValidation(t *testing.T) {
	for _, c := range []struct {
		api            *wire.API
		op, body, want string
	}{
		{&sts.API, "AssumeRole", "RoleArn=short&RoleSessionName=s", "ValidationError: " +
			"2 validation errors detected: Value 'short' at 'roleArn' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 20; " +
			"Value 's' at 'roleSessionName' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 2"},
		{&sts.API, "GetSessionToken", "DurationSeconds=x",
			"MalformedInput: STRING_VALUE can not be converted to an Integer"},
		{&sts.API, "GetSessionToken", "DurationSeconds.x=1",
			"MalformedInput: Unexpected complex element termination"},
		{&iam.API, "CreateUser", "UserName=u&Tags.member.7.Key=k&Tags.member.9.Key=", "ValidationError: " +
			"4 validation errors detected: " +
			"Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null; " +
			"Value '' at 'tags.2.member.key' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 1; " +
			"Value '' at 'tags.2.member.key' failed to satisfy constraint: " +
			"Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+; " +
			"Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null"},
		{&iam.API, "CreateUser", "UserName=u&Tags.1.Key=k",
			"MalformedInput: Unexpected list element termination"},
		{&iam.API, "CreateUser", "UserName=u&Tags=", ""},
		{&iam.API, "CreateUser", "UserName=u&Unknown.a.b=c", ""},
		{&iam.API, "CreateAccountAlias", "AccountAlias=my-alias-2", ""},
		{&iam.API, "CreateAccountAlias", "AccountAlias=my--alias", "ValidationError: " +
			"1 validation error detected: Value 'my--alias' at 'accountAlias' failed to satisfy " +
			"constraint: Member must satisfy regular expression pattern: " +
			"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"},
	} {
		got := decodeError(t, c.api, c.op, &wire.Request{Body: []byte(c.body)})
		if got != c.want {
			t.Errorf("%s %s\ngot  %s\nwant %s", c.op, c.body, got, c.want)
		}
	}
}

func TestRESTValidation(t *testing.T) {
	body := `{"brokerName":"b","deploymentMode":"single_instance","engineType":"Kafka",` +
		`"hostInstanceType":"mq.m5.large","publiclyAccessible":false}`
	r := &wire.Request{Method: "POST", Path: "/v1/brokers", Body: []byte(body)}
	c := compile(t, &mq.API)
	op, err := c.Route(r)
	if err != nil {
		t.Fatal(err)
	}
	in := &mq.CreateBrokerInput{}
	err = c.Decode(op, r, in)
	if in.DeploymentMode != mq.DeploymentModeSingleInstance {
		t.Errorf("mode %q: case is not ignored", in.DeploymentMode)
	}
	fault, ok := errors.AsType[*wire.ValidationError](err)
	if !ok {
		t.Fatal(err)
	}
	got := c.EncodeError(fault, "id-1")
	want := `{"errorAttribute":"engineType","message":"1 validation error detected: Value 'Kafka' at ` +
		`'engineType' failed to satisfy constraint: Member must satisfy enum value set: ` +
		`[ACTIVEMQ, RABBITMQ]"}`
	if string(got.Body) != want || got.Status != 400 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if h := got.Header; h.Get("X-Amzn-Errortype") != "BadRequestException" ||
		h.Get("X-Amzn-Requestid") != "id-1" || h.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", h)
	}
}

// TestViolationsAreBounded: every violation counts, but not every one is told.
func TestViolationsAreBounded(t *testing.T) {
	tags := strings.TrimSuffix(strings.Repeat(`{"TagKey":"","TagValue":"v"},`, 3000), ",")
	r := &wire.Request{Body: []byte(`{` + keyID + `,"Tags":[` + tags + `]}`)}
	op, _ := kms.API.Op("TagResource")
	err := compile(t, &kms.API).Decode(op, r, op.In())
	v, ok := errors.AsType[*wire.ValidationError](err)
	if !ok || v.Count != 3000 || len(v.Violations) != 100 || len(err.Error()) > 20000 {
		t.Errorf("%T: %d", err, len(err.Error()))
	}
}

func TestValidate(t *testing.T) {
	c := compile(t, &kms.API)
	good := &kms.CreateGrantInput{KeyId: "k", GranteePrincipal: "p", Operations: []string{"Decrypt"}}
	if err := c.Validate(good); err != nil {
		t.Error(err)
	}
	bad := &kms.TagResourceInput{KeyId: "k", Tags: []kms.Tag{{TagKey: "", TagValue: "v"}}}
	want := "1 validation error detected: Value '' at 'tags.1.member.tagKey' failed to satisfy " +
		"constraint: Member must have length greater than or equal to 1"
	if err := c.Validate(bad); err == nil || err.Error() != want {
		t.Error(err)
	}
	if err := c.Validate(&kms.EncryptInput{KeyId: "k"}); err == nil {
		t.Error("an absent plaintext passes")
	}
}
