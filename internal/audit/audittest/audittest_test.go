package audittest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// good is an event of each type of identity, without a contradiction.
const good = `{"eventVersion":"1.08","userIdentity":%,"eventTime":"2026-01-02T03:04:05Z",
"eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"eu-west-1",
"sourceIPAddress":"192.0.2.1","userAgent":"aws-cli/2","requestParameters":{"keyId":
"arn:aws:kms:eu-west-1:111122223333:key/1"},"responseElements":null,
"requestID":"00000000-0000-4000-8000-000000000001",
"eventID":"00000000-0000-4000-8000-000000000002","readOnly":true,"resources":[{"accountId":
"111122223333","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-west-1:111122223333:key/1"}],
"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333",
"sharedEventID":"00000000-0000-4000-8000-000000000003","eventCategory":"Management",
"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}}`

const sessionOf = `"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA1",
"arn":"arn:aws:iam::111122223333:role/r","accountId":"111122223333","userName":"r"},
"webIdFederationData":{},"attributes":{"creationDate":"2026-01-02T03:00:00Z",
"mfaAuthenticated":"false"}}`

var people = map[string]string{
	"Root": `{"type":"Root","principalId":"111122223333","accountId":"111122223333",
		"arn":"arn:aws:iam::111122223333:root"}`,
	"IAMUser": `{"type":"IAMUser","principalId":"AIDA1","userName":"a","accessKeyId":"AKIA1",
		"accountId":"111122223333","arn":"arn:aws:iam::111122223333:user/p/a"}`,
	"AssumedRole": `{"type":"AssumedRole","principalId":"AROA1:me","accountId":"111122223333",
		"arn":"arn:aws:sts::111122223333:assumed-role/r/me",` + sessionOf + `}`,
	"AWSService": `{"type":"AWSService","invokedBy":"mq.amazonaws.com"}`,
	"AWSAccount": `{"type":"AWSAccount","principalId":"AIDA1","accountId":"444455556666"}`,
}

func TestGood(t *testing.T) {
	t.Parallel()
	for kind, who := range people {
		if p := Problems([]byte(strings.Replace(good, "%", who, 1))); len(p) > 0 {
			t.Errorf("%s: %q", kind, p)
		}
	}
}

// TestBad: each change of a good event is found.
func TestBad(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{ // identity, old, new
		{"Root", `"requestID"`, `"requestId"`},
		{"Root", `:05Z`, `:05.1Z`},
		{"Root", `"readOnly":true`, `"readOnly":"true"`},
		{"Root", `"managementEvent":true`, `"managementEvent":false`},
		{"Root", `"eventVersion":"1.08"`, `"eventVersion":"1.7"`},
		{"Root", `eu-west-1:111122223333:key/1"},`, `eu-west-2:111122223333:key/1"},`},
		{"Root", `"accountId":
"111122223333","type":"AWS`, `"accountId":"111122223334","type":"AWS`},
		{"Root", `"recipientAccountId":"111122223333"`, `"recipientAccountId":"444455556666"`},
		{"Root", `"principalId":"111122223333"`, `"principalId":"AIDA"`},
		{"Root", `:root`, `:user/root`},
		{"Root", `null`, `[]`},
		{"Root", `"readOnly"`, `"errorMessage":"m","readOnly"`},
		{"Root", `null`, `{"x":{"secretAccessKey":"s"}}`},
		{"Root", `null`, `{"x":[{"grantToken":"s"}]}`},
		{"Root", `null`, `{},"errorCode":"E"`},
		{"Root", `"TLSv1.3"`, `"TLS 1.3"`},
		{"Root", `kms.amazonaws.com`, `iam.amazonaws.com`},
		{"IAMUser", `"userName":"a",`, ``},
		{"IAMUser", `user/p/a`, `role/a`},
		{"AssumedRole", `03:00:00Z`, `03:05:00Z`},
		{"AssumedRole", `AROA1:me`, `AROA2:me`},
		{"AssumedRole", `assumed-role`, `role`},
		{"AssumedRole", `"false"`, `false`},
		{"AssumedRole", `"webIdFederationData":{}`, `"webIdFederationData":"x"`},
		{"AWSService", `"invokedBy"`, `"accountId":"111122223333","invokedBy"`},
		{"AWSAccount", `"principalId"`, `"arn":"arn:aws:iam::444455556666:root","principalId"`},
		{"AWSAccount", `444455556666`, `111122223333`},
		{"AWSAccount", `"sharedEventID":"00000000-0000-4000-8000-000000000003",`, ``},
	} {
		text := strings.Replace(good, "%", people[c[0]], 1)
		if !strings.Contains(text, c[1]) {
			t.Errorf("%s: no %s", c[0], c[1])
		}
		if len(Problems([]byte(strings.Replace(text, c[1], c[2], 1)))) == 0 {
			t.Errorf("%s: %s as %s is not found", c[0], c[1], c[2])
		}
	}
}

// TestSamples: of the events that the sources print every field passes, once the
// values that contradict each other are made consistent (GRT-11).
func TestSamples(t *testing.T) {
	t.Parallel()
	const id = "00000000-0000-4000-8000-00000000000"
	repair := strings.NewReplacer(
		"ff000af-00eb-00ce-0e00-ea000fb0fba0SAMPLE", id+"1", "us-east-1", "us-west-2",
		"316438333700", "111122223333", "2018-06-28", "2023-02-24",
		`"type": "AssumedRole",`, `"type": "IAMUser", "userName": "AmazonMqConsole",`)
	files, err := filepath.Glob("../testdata/event-*grant*.json")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if p := Problems([]byte(repair.Replace(string(text)))); len(p) > 0 {
			t.Errorf("%s: %q", name, p)
		}
		if !json.Valid(text) || len(Problems(text)) == 0 {
			t.Errorf("%s as it was published has no contradiction", name)
		}
	}
}
