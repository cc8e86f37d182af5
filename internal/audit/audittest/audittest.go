// Package audittest holds events against CloudTrail's record format: every name at
// every level, the types, and that what they say is consistent (acceptance D-21,
// GRT-11). It knows the parts of the format that Coffer writes; an event that AWS
// would write and Coffer never does may not pass.
package audittest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"coffer/internal/audit"
)

// Recorded gives a listener of gateway.Events that fails the test for each event
// that has a problem. An event after the test's end is passed over.
func Recorded(t testing.TB) func(*audit.Event) {
	return func(e *audit.Event) {
		text, err := json.Marshal(e)
		if err != nil {
			t.Errorf("event %s: %v", e.EventName, err)
			return
		}
		for _, p := range Problems(text) {
			t.Errorf("event %s: %s\n%s", e.EventName, p, text)
		}
	}
}

// Problems tells what is wrong with the JSON of an event; none means that it is an
// event of CloudTrail.
//
// Source: CloudTrail User Guide, "CloudTrail record contents for management, data,
// and network activity events", "CloudTrail userIdentity element"
func Problems(text []byte) []string {
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return []string{err.Error()}
	}
	c := &checker{}
	if fields["eventType"] == "AwsServiceEvent" {
		c.object("", happened(), fields)
	} else {
		c.object("", record, fields)
	}
	if len(c.problems) == 0 {
		c.consistent(fields)
	}
	if len(text) > maxRecord {
		c.problem("%d bytes, at most %d", len(text), maxRecord)
	}
	return c.problems
}

// maxRecord bounds the JSON of a record, in bytes.
const maxRecord = 256 << 10

// Patterns of values.
var (
	uuids   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	seconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	number  = regexp.MustCompile(`^\d{12}$`)
	version = regexp.MustCompile(`^1\.(0[89]|1[01])$`)
	host    = regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws\.com|internal)$`)
	name    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	place   = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-\d{1,2}$`)
	code    = regexp.MustCompile(`^[A-Za-z0-9.]+$`)
	some    = regexp.MustCompile(`(?s).`)
	boolean = regexp.MustCompile(`^(true|false)$`)
	arns    = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:.+$`)
	kinds   = regexp.MustCompile(`^AWS::[A-Za-z0-9]+::[A-Za-z0-9]+$`)
	tls     = regexp.MustCompile(`^TLSv1\.[23]$`)
	types   = regexp.MustCompile(`^(AwsApiCall|AwsServiceEvent)$`)
	classes = regexp.MustCompile(`^(Management|Data)$`)
	whos    = regexp.MustCompile(
		`^(Root|IAMUser|AssumedRole|FederatedUser|AWSService|AWSAccount|Unknown)$`)
)

// field is one member: a pattern of a string, a shape of an object, a list of
// such, or a Go kind by example.
type field struct {
	optional bool
	want     any // *regexp.Regexp, shape, []shape, bool, anything
}

type shape map[string]field

// anything is an object of any members, or null.
type anything struct{}

var record = shape{
	"eventVersion": {false, version}, "userIdentity": {false, identity},
	"eventTime": {false, seconds}, "eventSource": {false, host}, "eventName": {false, name},
	"awsRegion": {false, place}, "sourceIPAddress": {false, some}, "userAgent": {true, nil},
	"errorCode": {true, code}, "errorMessage": {true, some},
	"requestParameters": {false, anything{}}, "responseElements": {false, anything{}},
	"additionalEventData": {true, anything{}}, "serviceEventDetails": {true, anything{}},
	"requestID": {false, uuids}, "eventID": {false, uuids}, "readOnly": {false, true},
	"resources": {true, []shape{resource}}, "eventType": {false, types},
	"apiVersion": {true, some}, "managementEvent": {false, true},
	"recipientAccountId": {false, number}, "sharedEventID": {true, uuids},
	"eventCategory": {false, classes}, "tlsDetails": {true, travelled},
	"sessionCredentialFromConsole": {true, boolean},
}

var identity = shape{
	"type": {false, whos}, "principalId": {true, some}, "arn": {true, arns},
	"accountId": {true, number}, "accessKeyId": {true, code}, "userName": {true, some},
	"sessionContext": {true, session}, "invokedBy": {true, host},
}

var session = shape{
	"sessionIssuer": {true, shape{
		"type": {false, regexp.MustCompile(`^(Role|IAMUser|Root)$`)}, "principalId": {false, some},
		"arn": {false, arns}, "accountId": {false, number}, "userName": {true, nil}}},
	"webIdFederationData": {true, anything{}}, "sourceIdentity": {true, some},
	"attributes": {false, shape{
		"creationDate": {false, seconds}, "mfaAuthenticated": {false, boolean}}},
}

var resource = shape{
	"accountId": {false, number}, "type": {false, kinds}, "ARN": {false, arns},
}

var travelled = shape{
	"tlsVersion": {false, tls}, "cipherSuite": {false, some},
	"clientProvidedHostHeader": {true, some},
}

// happened is an event that no request caused. Services act by themselves in it.
//
// Source: KMS Developer Guide, log entries "DeleteKey" and "RotateKey"
func happened() shape {
	s := maps.Clone(record)
	s["requestID"] = field{true, uuids}
	s["userIdentity"] = field{false, shape{
		"accountId": {false, number}, "invokedBy": {false, regexp.MustCompile(`^AWS Internal$`)},
	}}
	return s
}

type checker struct{ problems []string }

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// object compares the members of an object with its shape.
func (c *checker) object(at string, want shape, got map[string]any) {
	for key, f := range want {
		if _, ok := got[key]; !ok && !f.optional {
			c.problem("%s%s is missing", at, key)
		}
	}
	for key, value := range got {
		f, ok := want[key]
		if !ok {
			c.problem("%s%s is no field", at, key)
			continue
		}
		c.value(at+key, f.want, value)
	}
}

func (c *checker) value(at string, want, got any) {
	ok := true
	switch w := want.(type) {
	case nil:
		_, ok = got.(string)
	case bool:
		_, ok = got.(bool)
	case anything:
		if got != nil {
			_, ok = got.(map[string]any)
		}
	case *regexp.Regexp:
		s, is := got.(string)
		ok = is && w.MatchString(s)
	case shape:
		o, is := got.(map[string]any)
		if ok = is; ok {
			c.object(at+".", w, o)
		}
	case []shape:
		list, is := got.([]any)
		if ok = is && len(list) > 0; ok {
			for i, v := range list {
				c.value(fmt.Sprintf("%s[%d]", at, i), w[0], v)
			}
		}
	}
	if !ok {
		c.problem("%s is %v", at, got)
	}
}

// hidden are names whose values must not be on record.
var hidden = []string{"plaintext", "secretaccesskey", "password", "privatekeyplaintext",
	"privatekey", "ciphertextblob", "base32stringseed", "granttoken", "granttokens"}

// clean looks for secrets by their names at any depth.
func (c *checker) clean(at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			s, is := value.(string)
			if slices.Contains(hidden, strings.ToLower(key)) &&
				!(is && strings.HasPrefix(s, "HIDDEN_DUE_TO_SECURITY_REASONS")) {
				c.problem("%s.%s is on record", at, key)
			}
			c.clean(at+"."+key, value)
		}
	case []any:
		for _, value := range v {
			c.clean(at, value)
		}
	}
}
