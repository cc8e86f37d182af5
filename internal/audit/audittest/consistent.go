package audittest

import "strings"

type object = map[string]any

// consistent compares what the fields of an event of the right form say.
func (c *checker) consistent(e object) {
	id := e["userIdentity"].(object)
	str := func(o object, key string) string { s, _ := o[key].(string); return s }
	if str(e, "errorCode") == "" && str(e, "errorMessage") != "" {
		c.problem("an errorMessage without errorCode")
	}
	if str(e, "errorCode") != "" && e["responseElements"] != nil {
		c.problem("a call that failed has responseElements")
	}
	if e["managementEvent"] != (e["eventCategory"] == "Management") {
		c.problem("managementEvent %v of category %v", e["managementEvent"], e["eventCategory"])
	}
	if e["eventSource"] == "iam.amazonaws.com" && e["awsRegion"] != "us-east-1" {
		c.problem("an event of IAM in %v", e["awsRegion"])
	}
	if e["eventType"] != "AwsServiceEvent" {
		c.who(id, e)
	}
	list, _ := e["resources"].([]any)
	for _, r := range list {
		c.named(str(e, "awsRegion"), str(r.(object), "ARN"), str(r.(object), "accountId"))
	}
	for _, part := range []string{"requestParameters", "responseElements"} {
		params, _ := e[part].(object)
		c.clean(part, params)
		arn := str(params, "keyId")
		if strings.HasPrefix(arn, "arn:") && str(e, "errorCode") == "" {
			c.named(str(e, "awsRegion"), arn, "")
		}
	}
}

// named compares an ARN with the Region and account beside it.
func (c *checker) named(region, arn, account string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return
	}
	if parts[3] != "" && parts[3] != region {
		c.problem("%s in an event of %s", arn, region)
	}
	if account != "" && parts[4] != "" && parts[4] != "aws" && parts[4] != account {
		c.problem("%s of account %s", arn, account)
	}
}

// forms says of each type of identity how its ARN goes on behind the account and
// which members it must (true) or must not have; others it may have.
var forms = map[string]struct {
	arn  string
	have map[string]bool
}{
	"Root":    {":root", map[string]bool{"principalId": true, "arn": true, "accountId": true}},
	"IAMUser": {":user/", map[string]bool{"principalId": true, "arn": true, "userName": true}},
	"AssumedRole": {":assumed-role/", map[string]bool{"principalId": true, "arn": true,
		"accountId": true, "sessionContext": true, "userName": false}},
	"FederatedUser": {":federated-user/", map[string]bool{"principalId": true, "arn": true,
		"accountId": true, "sessionContext": true}},
	// A user of a broker, in data events.
	"Unknown": {"", map[string]bool{"principalId": true, "accountId": true, "userName": true,
		"arn": false, "accessKeyId": false, "sessionContext": false}},
	"AWSService": {"", map[string]bool{"invokedBy": true, "principalId": false, "arn": false,
		"accountId": false, "accessKeyId": false, "userName": false, "sessionContext": false}},
	"AWSAccount": {"", map[string]bool{"principalId": true, "accountId": true, "arn": false,
		"accessKeyId": false, "userName": false, "sessionContext": false}},
}

// who checks an identity by its type.
func (c *checker) who(id, e object) {
	kind := id["type"].(string)
	f := forms[kind]
	for key, must := range f.have {
		if _, ok := id[key]; ok != must {
			c.problem("userIdentity of type %s: has %s: %v", kind, key, ok)
		}
	}
	arn, _ := id["arn"].(string)
	account, _ := id["accountId"].(string)
	if !strings.Contains(arn, f.arn) || arn != "" && !strings.Contains(arn, ":"+account+":") {
		c.problem("userIdentity of type %s and account %s has the ARN %s", kind, account, arn)
	}
	if kind == "Root" && id["principalId"] != id["accountId"] {
		c.problem("the root user's principalId is %v", id["principalId"])
	}
	foreign := account != "" && account != e["recipientAccountId"]
	if foreign != (kind == "AWSAccount") {
		c.problem("account %v gets an event of type %s of account %s",
			e["recipientAccountId"], kind, account)
	}
	if _, shared := e["sharedEventID"]; kind == "AWSAccount" && !shared {
		c.problem("another account's event has no sharedEventID")
	}
	context, ok := id["sessionContext"].(object)
	if !ok {
		return
	}
	attributes := context["attributes"].(object)
	if attributes["creationDate"].(string) > e["eventTime"].(string) {
		c.problem("the session began at %v, after the event", attributes["creationDate"])
	}
	issuer, _ := context["sessionIssuer"].(object)
	if kind == "AssumedRole" && (issuer == nil || issuer["accountId"] != id["accountId"] ||
		!strings.HasPrefix(id["principalId"].(string), issuer["principalId"].(string)+":")) {
		c.problem("a session of %v issued by %v", id["principalId"], issuer)
	}
}
