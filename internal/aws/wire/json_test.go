package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
)

// TestStringBytes puts every byte at every place of a text, which is read eight bytes at a
// time: what may not stand there is found, and what may goes out and comes back.
func TestStringBytes(t *testing.T) {
	t.Parallel()
	codec, err := wire.Compile(&sqs.API)
	if err != nil {
		t.Fatal(err)
	}
	op, _ := sqs.API.Op("SendMessage")
	decode := func(body []byte) (string, error) {
		in := &sqs.SendMessageInput{}
		err := codec.Decode(op, &wire.Request{Method: "POST", Path: "/", Body: body}, in)
		return in.MessageBody, err
	}
	for n := range 18 {
		before, after := strings.Repeat("~", n), strings.Repeat(" ", 17-n)
		for c := range 256 {
			text := before + string([]byte{byte(c)}) + after
			got, err := decode([]byte(`{"QueueUrl":"q","MessageBody":"` + text + `"}`))
			fits := c >= ' ' && c < 0x80 && c != '"' && c != '\\'
			if fits != (err == nil) || fits && got != text {
				t.Errorf("byte %#x at %d: %q, %v", c, n, got, err)
			}
			text = before + string(rune(c)) + after
			out, err := codec.EncodeRequest(op, &sqs.SendMessageInput{
				QueueUrl: "q", MessageBody: text,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decode(out.Body); err != nil || got != text || !json.Valid(out.Body) {
				t.Errorf("character %#x at %d: %q, %v", c, n, out.Body, err)
			}
		}
	}
}

func TestSerializationTexts(t *testing.T) {
	const bad = "could not parse request body into json: "
	for _, c := range []struct{ op, body, want string }{
		{"DescribeKey", `{"KeyId":5}`, "NUMBER_VALUE can not be converted to a String"},
		{"DescribeKey", `{"KeyId":true}`, "TRUE_VALUE can not be converted to a String"},
		{"DescribeKey", `{"KeyId":{}}`, "Start of structure or map found where not expected."},
		{"DescribeKey", `{"KeyId":[]}`, "Start of list found where not expected"},
		{"ListKeys", `{"Limit":"5"}`, "STRING_VALUE can not be converted to an Integer"},
		{"ListKeys", `{"Limit":1.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"ListKeys", `{"Limit":1e99}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"ListKeys", `{"Limit":4294967296}`, "NUMBER_VALUE can not be converted to an Integer"},
		{"CreateKey", `{"MultiRegion":"true"}`, "STRING_VALUE can not be converted to a Boolean"},
		{"CreateKey", `{"Tags":"x"}`, "Expected list or null"},
		{"CreateKey", `{"Tags":["x"]}`, "Expected map or null"},
		{"Encrypt", `{"Plaintext":"*"}`, "STRING_VALUE can not be converted to a Blob"},
		{"ImportKeyMaterial", `{"ValidTo":"now"}`,
			"STRING_VALUE can not be converted to milliseconds since epoch"},
		{"ImportKeyMaterial", `{"ValidTo":1e300}`,
			"NUMBER_VALUE can not be converted to milliseconds since epoch"},
		{"DescribeKey", `[]`, "Unexpected value type in payload"},
		{"DescribeKey", `"x"`, "Unexpected value type in payload"},
		{"DescribeKey", `{"KeyId":"k"} x`, bad + "unexpected byte at 14"},
		{"DescribeKey", `{"KeyId":"k",}`, bad + "unexpected byte at 13"},
		{"DescribeKey", `{"KeyId":"k"`, bad + "unexpected end of input"},
		{"DescribeKey", `{"KeyId":"\x"}`, bad + "unexpected byte at 10"},
		{"DescribeKey", `{"KeyId":"\ud800"}`, bad + "unexpected byte at 16"},
		{"DescribeKey", "{\"KeyId\":\"\xff\"}", bad + "invalid UTF-8"},
		{"DescribeKey", "{\"KeyId\":\"\\n\xff\"}", bad + "invalid UTF-8"},
		{"DescribeKey", "{\"KeyId\":\"\n\"}", bad + "unexpected byte at 10"},
		{"DescribeKey", `{"X":01}`, bad + "unexpected byte at 6"},
		{"DescribeKey", `{"X":` + strings.Repeat("9", 65) + `}`, bad + "number of 65 bytes"},
		{"DescribeKey", `{"X":` + strings.Repeat("[", 1e6), bad + "nested too deep"},
		{"DescribeKey", "\x00", bad + "unexpected byte at 0"},
		{"UntagResource", `{"TagKeys":[` + strings.Repeat(`"",`, 1<<15) + `""]}`,
			"list or map has too many entries"},
	} {
		want := "SerializationException: " + c.want
		got := decodeError(t, &kms.API, c.op, &wire.Request{Body: []byte(c.body)})
		if got != want {
			t.Errorf("%.60s\ngot  %s\nwant %s", c.body, got, want)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	body := ` {"Unknown":{"a":[1,-2.5e+3,true,null,"\u00e9"]}, "Limit" : 1e1 ,
		"Marker":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é" }`
	in := &kms.ListKeysInput{}
	op, _ := kms.API.Op("ListKeys")
	err := compile(t, &kms.API).Decode(op, &wire.Request{Body: []byte(body)}, in)
	if _, ok := errors.AsType[*wire.ValidationError](err); !ok { // a marker has no such characters
		t.Fatal(err)
	}
	if wire.Or(in.Limit, 0) != 10 || in.Marker != "\"\\/\b\f\n\r\té😀é" {
		t.Errorf("%+q %v", in.Marker, in.Limit)
	}
}

// TestAbsence: what is not sent is not there, and what is false or zero is.
func TestAbsence(t *testing.T) {
	c := compile(t, &kms.API)
	op, _ := kms.API.Op("CreateKey")
	in := &kms.CreateKeyInput{}
	r := &wire.Request{Body: []byte(`{"MultiRegion":false,"Description":"","Tags":[]}`)}
	if err := c.Decode(op, r, in); err != nil {
		t.Fatal(err)
	}
	if in.MultiRegion == nil || in.Description == nil || in.Tags == nil ||
		in.BypassPolicyLockoutSafetyCheck != nil {
		t.Errorf("%+v", in)
	}
	out := &kms.KeyMetadata{KeyId: "k", Enabled: new(false), CreationDate: time.UnixMilli(1500)}
	got, err := c.Encode(op, &kms.CreateKeyOutput{KeyMetadata: out}, "id")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"KeyMetadata":{"CreationDate":1.5,"Enabled":false,"KeyId":"k"}}`
	if string(got.Body) != want {
		t.Errorf("%s", got.Body)
	}
}

func TestEncodeJSONStrings(t *testing.T) {
	c := compile(t, &kms.API)
	op, _ := kms.API.Op("GetKeyPolicy")
	text := "\x00\x1f\"\\\n\r\t<é😀>\u2028"
	got, err := c.Encode(op, &kms.GetKeyPolicyOutput{Policy: text}, "id")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Policy string }
	if err := json.Unmarshal(got.Body, &doc); err != nil || doc.Policy != text {
		t.Errorf("%s: %q %v", got.Body, doc.Policy, err)
	}
	got, err = c.Encode(op, &kms.GetKeyPolicyOutput{Policy: "a\xffb"}, "id")
	if err != nil || !json.Valid(got.Body) || !bytes.Contains(got.Body, []byte("a\ufffdb")) {
		t.Errorf("%s %v", got.Body, err)
	}
}

func TestJSONErrors(t *testing.T) {
	c := compile(t, &kms.API)
	for _, e := range []struct {
		err    wire.Fault
		status int
		body   string
	}{
		{&kms.NotFoundException{Message: "no key"}, 400,
			`{"__type":"NotFoundException","message":"no key"}`},
		{&kms.KMSInternalException{}, 500, `{"__type":"KMSInternalException"}`},
		{&wire.Error{Code: "AccessDeniedException", Status: 400, Message: "no"}, 400,
			`{"__type":"AccessDeniedException","message":"no"}`},
		{wire.Unimplemented("Sign"), 501, `{"__type":"UnknownOperationException",` +
			`"message":"The operation Sign is not implemented by Coffer."}`},
	} {
		r := c.EncodeError(e.err, "id-1")
		if r.Status != e.status || string(r.Body) != e.body ||
			r.Header.Get("Content-Type") != "application/x-amz-json-1.1" ||
			r.Header.Get("X-Amzn-Requestid") != "id-1" {
			t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
		}
	}
	if _, err := c.Route(&wire.Request{Header: map[string][]string{
		"X-Amz-Target": {"TrentService.Nothing"}}}); err == nil {
		t.Error("an unknown operation is routed")
	}
}

func BenchmarkDecodeEncrypt(b *testing.B) {
	c := compile(b, &kms.API)
	op, _ := kms.API.Op("Encrypt")
	body := []byte(`{"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","EncryptionContext":{"aws:mq:arn":` +
		`"arn:aws:mq:eu-west-1:111122223333:broker:b-1"},` +
		`"KeyId":"arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",` +
		`"Plaintext":"YW4gZXhhbXBsZSBvZiBmb3J0eSBieXRlcyBvciBzby4uLi4="}`)
	r := &wire.Request{Body: body}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Decode(op, r, op.In()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeEncrypt(b *testing.B) {
	c := compile(b, &kms.API)
	op, _ := kms.API.Op("Encrypt")
	out := &kms.EncryptOutput{
		CiphertextBlob: make([]byte, 200), KeyId: "k", EncryptionAlgorithm: "SM2PKE",
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Encode(op, out, "id"); err != nil {
			b.Fatal(err)
		}
	}
}
