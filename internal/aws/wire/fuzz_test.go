package wire_test

import (
	"net/http"
	"reflect"
	"testing"

	"coffer/internal/aws/api/iam"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/mq"
	"coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
)

// again checks a value that was decoded from fuzzed bytes: rendered and read
// once more it is the same.
func again(t *testing.T, c *wire.Codec, op *wire.Op, r *wire.Request) {
	in := op.In()
	if err := c.Decode(op, r, in); err != nil {
		if _, ok := err.(wire.Fault); !ok {
			t.Fatalf("%v is no fault", err)
		}
		return
	}
	if err := c.Validate(in); err != nil {
		t.Fatalf("decoded, but not valid: %v", err)
	}
	c.Audit(in)
	if c.API().Protocol == "query" {
		in = request(t, c, op, in) // loses structures of unknown members alone
	}
	if got := request(t, c, op, in); !reflect.DeepEqual(got, in) {
		t.Fatalf("got %#v, want %#v", got, in)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	c := compile(f, &kms.API)
	for _, s := range []string{
		``, `{}`, `{"KeyId":"k","Tags":[{"TagKey":"a","TagValue":"b"}]}`,
		`{"KeyId":"k","Plaintext":"aGk=","EncryptionContext":{"a":"b"},"GrantTokens":["x"]}`,
		`{"KeyId":"k","Operations":["Decrypt"],"GranteePrincipal":"p",` +
			`"Constraints":{"EncryptionContextSubset":{"\u00e9":"\ud83d\ude00"}}}`,
		`{"ImportToken":"aa==","KeyId":"k","EncryptedKeyMaterial":"aaaa","ValidTo":1.5e9}`,
		`[[[[`, `{"KeyId":null,"KeyId":1e400}`, `{"X":{"Y":[1,true,"\n"]}}`,
	} {
		for _, op := range []uint16{0, 9, 15} {
			f.Add(op, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		again(t, c, &kms.API.Ops[int(n)%len(kms.API.Ops)], &wire.Request{Body: body})
	})
}

func FuzzDecodeQuery(f *testing.F) {
	c := compile(f, &iam.API)
	for _, s := range []string{
		``, `UserName=u&Tags.member.1.Key=k&Tags.member.1.Value=v`, `Tags=&UserName=u`,
		`PolicyInputList.member.1=p&ActionNames.member.3=a&ActionNames.member.1=b`, `a.b.c.d.e=%zz`,
		`MaxItems=5&OnlyAttached=true`, `.=.&..=`, `Tags.member.99999999999999999999=x`,
	} {
		for _, op := range []uint16{20, 40, 160} {
			f.Add(op, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		again(t, c, &iam.API.Ops[int(n)%len(iam.API.Ops)], &wire.Request{Body: body})
	})
}

// FuzzDecodeBoth reads requests of a service with two protocols in either.
func FuzzDecodeBoth(f *testing.F) {
	json := compile(f, &sqs.API)
	query := json.For(http.Header{})
	for _, s := range []string{
		`{"QueueUrl":"u","MessageBody":"b","DelaySeconds":5,"MessageAttributes":{"a":` +
			`{"DataType":"Binary","BinaryValue":"AQI="}}}`,
		`{"QueueUrl":"u","Entries":[{"Id":"a","ReceiptHandle":"r"}],"Attributes":{"a":"1"}}`,
		"QueueUrl=u&Attribute.1.Name=a&Attribute.1.Value=b&AttributeName.2=All&Tag.1.Key=k",
		"QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1." +
			"MessageBody=b&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n" +
			"&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String",
		"DeleteMessageBatchRequestEntry.7.Id=a&Tag.1.Value=v&ActionName.1=*&AWSAccountId.1=1",
		"Attribute.1.Name=a&Attribute.01.Name=a&Attribute=&MaxNumberOfMessages=1e1&Tag.0.Key=",
	} {
		for op := range uint16(len(sqs.API.Ops)) {
			f.Add(op, s[0] != '{', []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, asked bool, body []byte) {
		c := json
		if asked {
			c = query
		}
		op := &sqs.API.Ops[int(n)%len(sqs.API.Ops)]
		again(t, c, op, &wire.Request{Method: "POST", Path: "/", Body: body})
	})
}

func FuzzDecodeREST(f *testing.F) {
	c := compile(f, &mq.API)
	f.Add("GET", "/v1/brokers/b-1", "", []byte(``))
	f.Add("GET", "/v1/brokers", "maxResults=5&nextToken=x", []byte(``))
	f.Add("DELETE", "/v1/tags/arn%3Aaws", "tagKeys=a&tagKeys=b", []byte(``))
	f.Add("PUT", "/v1/brokers/b/users/u%2Fv", "", []byte(`{"groups":["a"],"consoleAccess":true}`))
	f.Add("POST", "/v1/brokers", "", []byte(`{"brokerName":"b","deploymentMode":"SINGLE_INSTANCE",`+
		`"engineType":"RabbitMQ","hostInstanceType":"mq.m5.large","publiclyAccessible":false,`+
		`"users":[{"username":"u","password":"p"}],"tags":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		r := &wire.Request{Method: method, Path: path, RawQuery: query, Body: body}
		op, err := c.Route(r)
		if err != nil {
			return
		}
		again(t, c, op, r)
	})
}
