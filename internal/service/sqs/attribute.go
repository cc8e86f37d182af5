package sqs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/policy"
)

// maxKeyName bounds the name of a KMS key, which KMS looks at when it is used.
const maxKeyName = 2048

// maxStatements bounds the statements of a queue's policy.
const maxStatements = 20

// rules are what a queue's attributes say.
type rules struct {
	visibility, delay, retention, wait, reuse time.Duration

	maxSize int  // bytes of a message, its attributes included
	managed bool // SSE-SQS was asked for by name

	fifo         bool
	byContent    bool // the SHA-256 of its body stands for a message without an id
	dedupInGroup bool // ids of deduplication are unique in their groups, not in the queue

	policy  *policy.Document // nil: none
	redrive *redrive         // nil: none
	allow   *allowed         // nil: none

	key string // ARN of the KMS key of SSE-KMS, as a key or an alias; empty: none
	// gated: who receives needs kms:Decrypt, too, though no customer's key is asked.
	gated bool
}

// gateAttribute is Coffer's own: true is a second gate for queues under SSE-SQS (D-18).
const gateAttribute = "CofferDecryptPermission"

// numbers are the attributes that are numbers, with their ranges and what holds when
// nobody set them. All but one are seconds.
var numbers = map[string]struct{ low, high, usual int64 }{
	"DelaySeconds":                  {0, 900, 0},
	"KmsDataKeyReusePeriodSeconds":  {60, 86400, 300},
	"MaximumMessageSize":            {1024, maxPayload, maxPayload},
	"MessageRetentionPeriod":        {60, 1209600, 345600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"VisibilityTimeout":             {0, 43200, 30},
}

// newRules reads the attributes of a queue as a caller wants them to be.
func newRules(a address, set map[string]string) (*rules, error) {
	r := &rules{fifo: a.fifo()}
	for name, n := range numbers {
		r.number(name, n.usual)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := r.set(name, set[name]); err != nil {
			return nil, err
		}
	}
	if r.key = a.kmsKey(set["KmsMasterKeyId"]); r.key != "" && r.managed {
		return nil, twoKinds()
	}
	return r, checkThroughput(set)
}

func twoKinds() error {
	return &api.InvalidAttributeName{Message: "You can use one type of server-side encryption " +
		"(SSE) at one time. You can either enable KMS SSE or SQS SSE."}
}

// set is where an attribute that callers set is known.
func (r *rules) set(name, value string) (err error) {
	if n, ok := numbers[name]; ok {
		v, err := strconv.ParseInt(value, 10, 64)
		if err != nil || v < n.low || v > n.high {
			return badAttribute(name)
		}
		r.number(name, v)
		return nil
	}
	switch name {
	case "Policy":
		if r.policy, err = policy.Parse([]byte(value), policy.Resource); err != nil {
			return badAttribute(name)
		}
		if n := r.policy.Statements(); n > maxStatements {
			return &api.OverLimit{Message: fmt.Sprintf("%d statements were found in the "+
				"submitted policy, max allowed is %d", n, maxStatements)}
		}
	case "KmsMasterKeyId":
		if len(value) > maxKeyName {
			return badAttribute(name)
		}
	case "SqsManagedSseEnabled":
		r.managed, err = truth(name, value)
		return err
	case gateAttribute:
		r.gated, err = truth(name, value)
		return err
	case "RedrivePolicy":
		r.redrive, err = parseRedrive(value)
		return err
	case "RedriveAllowPolicy":
		r.allow, err = parseAllowed(value)
		return err
	case "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
		return r.setFIFO(name, value)
	default:
		return unknownAttribute(name)
	}
	return nil
}

func truth(name, value string) (bool, error) {
	if value != "true" && value != "false" {
		return false, badAttribute(name)
	}
	return value == "true", nil
}

func (r *rules) number(name string, v int64) {
	seconds := time.Duration(v) * time.Second
	switch name {
	case "DelaySeconds":
		r.delay = seconds
	case "KmsDataKeyReusePeriodSeconds":
		r.reuse = seconds
	case "MaximumMessageSize":
		r.maxSize = int(v)
	case "MessageRetentionPeriod":
		r.retention = seconds
	case "ReceiveMessageWaitTimeSeconds":
		r.wait = seconds
	case "VisibilityTimeout":
		r.visibility = seconds
	}
}

// lowered gives attributes with the truth values of FIFO queues in lower case. AWS takes
// them in any: Ansible's module says True.
func lowered(set map[string]string) map[string]string {
	out := maps.Clone(set)
	for _, name := range []string{"FifoQueue", "ContentBasedDeduplication"} {
		if v, ok := out[name]; ok {
			out[name] = strings.ToLower(v)
		}
	}
	return out
}

// withAttributes gives old with what a caller sets. An empty text takes away what need
// not be there.
//
// What is asked for of the two kinds of encryption takes the other one away.
func withAttributes(old, set map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, old)
	if named, ok := set["KmsMasterKeyId"]; ok {
		delete(out, "SqsManagedSseEnabled")
		if named == "" && set["SqsManagedSseEnabled"] == "" && old["KmsMasterKeyId"] != "" {
			out["SqsManagedSseEnabled"] = "false"
		}
		if named == "" {
			delete(out, "KmsDataKeyReusePeriodSeconds")
		}
	} else if set["SqsManagedSseEnabled"] == "true" {
		delete(out, "KmsMasterKeyId")
		delete(out, "KmsDataKeyReusePeriodSeconds")
	}
	for name, value := range set {
		if value == "" && optional[name] {
			delete(out, name)
			continue
		}
		out[name] = value
	}
	return out
}

// optional are the attributes of which an empty value means that there is none.
var optional = map[string]bool{
	"Policy": true, "KmsMasterKeyId": true, "RedrivePolicy": true, "RedriveAllowPolicy": true,
	gateAttribute: true,
}

// value tells an attribute that callers set; "" when it is not shown.
func (r *row) value(name string) string {
	v, ok := r.Attributes[name]
	if n, number := numbers[name]; !ok && number {
		return strconv.FormatInt(n.usual, 10)
	}
	if !ok && name == "SqsManagedSseEnabled" {
		return strconv.FormatBool(r.rules.key == "")
	}
	if !ok && r.rules.fifo {
		return usualFIFO(name)
	}
	return v
}

func badAttribute(name string) error {
	return &api.InvalidAttributeValue{Message: "Invalid value for the parameter " + name + "."}
}

func unknownAttribute(name string) error {
	return &api.InvalidAttributeName{Message: "Unknown Attribute " + name + "."}
}
