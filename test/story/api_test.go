package story

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"coffer/test/story/kit"
)

func itoa(n int) string { return strconv.Itoa(n) }

// request is an API call that no SDK would make.
type request struct {
	service, target, path, body string
	unsigned                    bool
}

// ask gives the status and the body of the answer.
func (r *request) ask(t *testing.T, s *kit.Server) (int, string) {
	t.Helper()
	path := r.path
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		s.Env["AWS_ENDPOINT_URL"]+path, bytes.NewReader([]byte(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.target != "":
		req.Header.Set("X-Amz-Target", r.target)
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	case r.service == "sts":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	default:
		req.Header.Set("Content-Type", "application/json")
	}
	if !r.unsigned {
		sum := sha256.Sum256([]byte(r.body))
		cred := aws.Credentials{AccessKeyID: s.Env["AWS_ACCESS_KEY_ID"],
			SecretAccessKey: s.Env["AWS_SECRET_ACCESS_KEY"]}
		err := v4.NewSigner().SignHTTP(t.Context(), cred, req, hex.EncodeToString(sum[:]),
			r.service, s.Env["AWS_REGION"], time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	resp, err := s.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType") + " " + string(text)
}

// TestBadRequests: what AWS answers to requests that are wrong.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	const describe = "TrentService.DescribeKey"
	for name, c := range map[string]struct {
		request
		status int
		words  []string
	}{
		"unsigned JSON": {request{"kms", describe, "", "{}", true}, 400,
			[]string{"MissingAuthenticationTokenException", "Missing Authentication Token"}},
		"unsigned query": {request{"sts", "", "",
			"Action=GetCallerIdentity&Version=2011-06-15", true}, 403,
			[]string{"MissingAuthenticationToken", "Missing Authentication Token"}},
		"unsigned REST": {request{"mq", "", "/v1/brokers", "{}", true}, 403,
			[]string{"Missing Authentication Token"}},
		"wrong type": {request{"kms", describe, "", `{"KeyId":5}`, false}, 400,
			[]string{"SerializationException"}},
		"not JSON": {request{"kms", describe, "", `{"KeyId`, false}, 400,
			[]string{"SerializationException"}},
		"missing member": {request{"kms", describe, "", "{}", false}, 400,
			[]string{"ValidationException", "1 validation error detected: Value null at 'keyId' " +
				"failed to satisfy constraint: Member must not be null"}},
		"two violations": {request{"kms", "TrentService.CreateAlias", "", "{}", false}, 400,
			[]string{"ValidationException", "2 validation errors detected: ", "'aliasName'",
				"'targetKeyId'"}},
		"unknown operation": {request{"kms", "TrentService.Nonsense", "", "{}", false}, 400,
			[]string{"UnknownOperationException"}},
		"missing members of a broker": {request{"mq", "", "/v1/brokers", "{}", false}, 400,
			[]string{"BadRequestException", "'brokerName'", "'engineType'"}},
		"wrong type of a broker": {request{"mq", "", "/v1/brokers", `{"brokerName":5}`, false}, 400,
			[]string{"BadRequestException", "String"}},
	} {
		status, body := c.ask(t, s)
		if status != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, status, c.status, body)
		}
		for _, w := range c.words {
			if !strings.Contains(strings.ReplaceAll(body, "&#39;", "'"), w) {
				t.Errorf("%s: %s does not say %q", name, body, w)
			}
		}
	}
}

// TestWrongSignature: AWS's codes, in each protocol.
func TestWrongSignature(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.Env["AWS_ACCESS_KEY_ID"]
	wrong, unknown := s.AWSAs(id, "wrong"), s.AWSAs("AKIAIOSFODNN7EXAMPLE", "wrong")
	keys, brokers := &kms.ListKeysInput{}, &mq.ListBrokersInput{}
	who := &sts.GetCallerIdentityInput{}
	for _, c := range []struct{ got, want string }{
		{kit.Refused(t, wrong.KMS.ListKeys, keys, "InvalidSignatureException"),
			"The request signature we calculated does not match the signature you provided."},
		{kit.Refused(t, wrong.STS.GetCallerIdentity, who, "SignatureDoesNotMatch"),
			"The request signature we calculated does not match the signature you provided."},
		{kit.Refused(t, wrong.MQ.ListBrokers, brokers, "InvalidSignatureException"),
			"The request signature we calculated does not match the signature you provided."},
		{kit.Refused(t, unknown.KMS.ListKeys, keys, "UnrecognizedClientException"),
			"The security token included in the request is invalid."},
		{kit.Refused(t, unknown.STS.GetCallerIdentity, who, "InvalidClientTokenId"),
			"The security token included in the request is invalid."},
	} {
		if !strings.HasPrefix(c.got, c.want) {
			t.Errorf("text %q, want %q", c.got, c.want)
		}
	}
	for _, e := range s.AWS().Events(t, "", "") {
		if code := e.At("errorCode"); code != nil {
			t.Errorf("an anonymous request is on the trail: %v %v", e.At("eventName"), code)
		}
	}
}

// TestNotImplemented: an operation that AWS has and Coffer has not says so.
func TestNotImplemented(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, r := range map[string]request{
		"kms": {service: "kms", target: "TrentService.CreateCustomKeyStore",
			body: `{"CustomKeyStoreName":"store"}`},
		"sts": {service: "sts", body: "Action=GetDelegatedAccessToken&Version=2011-06-15" +
			"&TradeInToken=token"},
		"cloudtrail": {service: "cloudtrail", body: "{}", target: trailTarget + "DescribeTrails"},
		"mq": {service: "mq", path: "/v1/configurations",
			body: `{"name":"c","engineType":"ACTIVEMQ","engineVersion":"5.18"}`},
	} {
		status, body := r.ask(t, s)
		if status != http.StatusNotImplemented || !strings.Contains(body, "not implemented") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	a := s.AWS()
	kit.Refused(t, a.Trail.DescribeTrails, &cloudtrail.DescribeTrailsInput{},
		"UnknownOperationException")
	if found := a.Events(t, "EventName", "DescribeTrails"); len(found) != 2 {
		t.Errorf("%d refusals on the trail, want 2", len(found))
	}
	out := kit.Do(t, a.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if aws.ToString(out.Arn) != "arn:aws:iam::000000000000:root" ||
		aws.ToString(out.Account) != "000000000000" {
		t.Errorf("caller identity %+v", out)
	}
}

// trailTarget is the prefix of CloudTrail's X-Amz-Target.
const trailTarget = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
