package wire_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/mq"
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

// TestErrorTexts runs testdata/errors.txt, which has AWS's wording.
func TestErrorTexts(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "errors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(src), "\n> ")
	for block := range strings.SplitSeq(rest, "\n> ") {
		request, answer, _ := strings.Cut(block, "\n")
		service, rest, _ := strings.Cut(request, " ")
		op, body, _ := strings.Cut(rest, " ")
		answer, _, _ = strings.Cut(answer, "\n\n")
		want := strings.TrimSpace(answer)
		want = strings.ReplaceAll(want, ":\n  Value", ": Value")
		want = strings.ReplaceAll(want, "\n  Value", "; Value")
		t.Run(request, func(t *testing.T) {
			i := slices.IndexFunc(apis(), func(a *wire.API) bool { return a.Name == service })
			if i < 0 {
				t.Fatalf("no service %s", service)
			}
			got := decodeError(t, apis()[i], op, &wire.Request{Body: []byte(body)})
			if got == "" {
				got = "ok"
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestLengths: a value is echoed, bytes are not; KMS-04 is the limit of 4096.
func TestLengths(t *testing.T) {
	const head = "ValidationException: 1 validation error detected: Value"
	const tail = " failed to satisfy constraint: " +
		"Member must have length less than or equal to "
	long, longer := strings.Repeat("a", 2049), strings.Repeat("a", 5000)
	for _, c := range []struct{ op, body, want string }{
		{"DescribeKey", `{"KeyId":"` + long + `"}`,
			head + " '" + long + "' at 'keyId'" + tail + "2048"},
		{"DescribeKey", `{"KeyId":"` + longer + `"}`,
			head + " '" + longer[:4096] + "...' at 'keyId'" + tail + "2048"},
		{"Encrypt", plaintext(4096), ""},
		{"Encrypt", plaintext(4097), head + " at 'plaintext'" + tail + "4096"},
	} {
		got := decodeError(t, &kms.API, c.op, &wire.Request{Body: []byte(c.body)})
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

const keyID = `"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"`

func plaintext(n int) string {
	b := base64.StdEncoding.EncodeToString(make([]byte, n))
	return `{` + keyID + `,"Plaintext":"` + b + `"}`
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
	want := `{"errorAttribute":"engineType","message":"1 validation error detected: ` +
		`Value 'Kafka' at 'engineType' failed to satisfy constraint: ` +
		`Member must satisfy enum value set: [ACTIVEMQ, RABBITMQ]"}`
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
	good := &kms.CreateGrantInput{
		KeyId: "k", GranteePrincipal: "p", Operations: []string{kms.GrantOperationDecrypt},
	}
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
