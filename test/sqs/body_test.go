package sqs

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
)

// maxMessage is the bytes of the longest message, and of all messages of a batch.
const maxMessage = 1 << 20

// bodies are what a message may hold at its edges.
var bodies = map[string]string{
	"longest":        strings.Repeat("x", maxMessage),
	"three bytes":    strings.Repeat("€", maxMessage/3),
	"four bytes":     strings.Repeat("\U0001f600", maxMessage/4),
	"escaped":        strings.Repeat("\"\\/<&>'\u2028\u0085\u007f", 1000),
	"white":          " \t\r\n ",
	"edges":          "\u0020\ud7ff\ue000\ufffd\U00010000\U0010ffff",
	"lines":          "a\r\nb\rc\nd",
	"looks like XML": "<![CDATA[ ]]> &amp; <?xml?>",
	"looks like it":  `{"QueueUrl":"x"}&Action=DeleteQueue%00+%`,
}

// TestLooseTexts: a number or a truth value where JSON should have a text is one, as in the
// query protocol.
func TestLooseTexts(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{
		"QueueName": 7, "Attributes": members{"DelaySeconds": 0, "SqsManagedSseEnabled": true},
		"tags": members{"number": 1.5},
	})["QueueUrl"].(string)
	for body, want := range map[any]string{0: "0", -2.50: "-2.5", true: "true", "x": "x"} {
		s.call("SendMessage", members{"QueueUrl": url, "MessageBody": body})
		if got := s.takeJSON(url); got.Body != want {
			t.Errorf("%v came as %q", body, got.Body)
		}
	}
	tags := s.call("ListQueueTags", members{"QueueUrl": url})["Tags"].(members)
	if !strings.HasSuffix(url, "/7") || tags["number"] != "1.5" {
		t.Errorf("%s has tags %v", url, tags)
	}
}

// TestBodies: what is sent in one protocol comes back in both, byte for byte, with the
// digests that clients check.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		body := bodies[name]
		sum := md5.Sum([]byte(body))
		want := hex.EncodeToString(sum[:])
		sent := s.call("SendMessage", members{"QueueUrl": url, "MessageBody": body})
		if sent["MD5OfMessageBody"] != want {
			t.Errorf("%s: digest %v, want %s", name, sent["MD5OfMessageBody"], want)
		}
		a := s.query("SendMessage", form("SendMessage", members{
			"QueueUrl": url, "MessageBody": body,
		}))
		if between(string(a.body), "MD5OfMessageBody") != want {
			t.Errorf("%s: query: %.300s", name, a.body)
		}
		for _, got := range []received{s.takeJSON(url), s.takeQuery(url)} {
			if got.Body != body || got.MD5OfBody != want {
				t.Errorf("%s: %d bytes came back with digest %s: %.40q",
					name, len(got.Body), got.MD5OfBody, got.Body)
			}
		}
	}
}

// received is a message as both protocols show it.
type received struct {
	Body, MD5OfBody, MD5OfMessageAttributes, ReceiptHandle string
}

// takeJSON receives a message and deletes it.
func (s *server) takeJSON(url string) received {
	s.t.Helper()
	a := s.json("ReceiveMessage", `{"QueueUrl":"`+url+`","WaitTimeSeconds":20,`+
		`"MessageAttributeNames":["All"]}`)
	var out struct{ Messages []received }
	if err := json.Unmarshal(a.body, &out); err != nil || len(out.Messages) != 1 {
		s.t.Fatalf("%v %.300s", err, a.body)
	}
	s.delete(url, out.Messages[0])
	return out.Messages[0]
}

// takeQuery does so in the query protocol.
func (s *server) takeQuery(url string) received {
	s.t.Helper()
	a := s.query("ReceiveMessage", form("ReceiveMessage", members{
		"QueueUrl": url, "WaitTimeSeconds": 20, "MessageAttributeNames": []any{"All"},
	}))
	var out struct {
		Messages []received `xml:"ReceiveMessageResult>Message"`
	}
	if err := xml.Unmarshal(a.body, &out); err != nil || len(out.Messages) != 1 {
		s.t.Fatalf("%v %.300s", err, a.body)
	}
	s.delete(url, out.Messages[0])
	return out.Messages[0]
}

func (s *server) delete(url string, m received) {
	s.t.Helper()
	s.call("DeleteMessage", members{"QueueUrl": url, "ReceiptHandle": m.ReceiptHandle})
}

// TestWholeBatch: ten messages that are a mebibyte together go and come as one batch.
func TestWholeBatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	var entries []any
	for i := range 10 {
		n := maxMessage / 10
		if i == 9 {
			n = maxMessage - 9*n
		}
		entries = append(entries, members{
			"Id": strconv.Itoa(i), "MessageBody": strings.Repeat("\"", n),
		})
	}
	in := members{"QueueUrl": url, "Entries": entries}
	if sent := s.call("SendMessageBatch", in)["Successful"].([]any); len(sent) != 10 {
		t.Errorf("%d were sent", len(sent))
	}
	a := s.query("SendMessageBatch", form("SendMessageBatch", in))
	if n := strings.Count(string(a.body), "<SendMessageBatchResultEntry>"); n != 10 {
		t.Errorf("%d were sent: %.300s", n, a.body)
	}
	for got := 0; got < 20; {
		list, _ := s.call("ReceiveMessage", members{
			"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20,
		})["Messages"].([]any)
		if len(list) == 0 {
			t.Fatalf("%d of 20 came", got)
		}
		got += len(list)
	}
}

// TestHugeRequests: a body beyond what any message needs is refused before it is read,
// and the connection serves on.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	header := http.Header{
		"X-Amz-Target": {"AmazonSQS.SendMessage"}, "Content-Type": {"application/x-amz-json-1.0"},
	}
	resp, text := s.post("/", header, bytes.Repeat([]byte("x"), 8<<20))
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%s %.200s", resp.Status, text)
	}
	s.call("ListQueues", members{})
}

// TestFullAttributes: ten attributes of each type come back, with AWS's digest of them.
func TestFullAttributes(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	attributes := members{
		strings.Repeat("n", 256): members{"DataType": "String", "StringValue": "x"},
		"a-b_c.D":                members{"DataType": "String.custom", "StringValue": "grün\t\n"},
		"Awsome":                 members{"DataType": "Number", "StringValue": "-1.5e+10"},
		"big": members{
			"DataType": "Number.int", "StringValue": strings.Repeat("9", 38),
		},
		"bytes": members{
			"DataType": "Binary.png", "BinaryValue": base64.StdEncoding.EncodeToString(all),
		},
	}
	for i := range 10 - len(attributes) {
		attributes["s"+strconv.Itoa(i)] = members{"DataType": "String", "StringValue": "v"}
	}
	in := members{"QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes}
	want := s.call("SendMessage", in)["MD5OfMessageAttributes"]
	a := s.query("SendMessage", form("SendMessage", in))
	if got := between(string(a.body), "MD5OfMessageAttributes"); got != want {
		t.Errorf("digest by query %q, by JSON %q", got, want)
	}
	for _, got := range []received{s.takeJSON(url), s.takeQuery(url)} {
		if got.MD5OfMessageAttributes != want {
			t.Errorf("came back with %q, sent with %q", got.MD5OfMessageAttributes, want)
		}
	}
}

// TestChunks: a request that does not tell its length before, over HTTP/1.1 and 2.
func TestChunks(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	old := s.http.Transport.(*http.Transport).Clone()
	old.ForceAttemptHTTP2, old.TLSNextProto = false, nil
	old.TLSClientConfig.NextProtos = []string{"http/1.1"}
	t.Cleanup(old.CloseIdleConnections)
	for version, client := range map[int]*http.Client{
		1: {Transport: old, Timeout: patience}, 2: s.http,
	} {
		body := []byte(`{"QueueUrl":"` + url + `","MessageBody":"x"}`)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base,
			io.MultiReader(bytes.NewReader(body[:9]), bytes.NewReader(body[9:])))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"X-Amz-Target": {"AmazonSQS.SendMessage"},
			"Content-Type": {"application/x-amz-json-1.0"},
		}
		sigv4.Sign(req, body, s.key, s.region, "sqs", time.Now())
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != version {
			t.Errorf("%s, HTTP/%d: %s", resp.Status, resp.ProtoMajor, text)
		}
	}
}
