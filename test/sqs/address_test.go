package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/sigv4"
)

// TestAddresses: a queue is found by every form of its URL that clients make, whatever
// name they reach the server by.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	path := strings.TrimPrefix(url, s.base)
	forms := []string{
		url, url + "/", path, strings.TrimPrefix(path, "/"), "orders",
		"http://localhost:4566" + path,
		"https://sqs.eu-west-1.amazonaws.com" + path,
		"https://eu-west-1.queue.amazonaws.com" + path,
		"https://queue.amazonaws.com" + path,
		"https://vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com" + path,
		"https://localhost:4566/queue/eu-west-1" + path,
	}
	for _, form := range forms {
		s.call("SendMessage", members{"QueueUrl": form, "MessageBody": form})
		if a := s.query("SendMessage", "MessageBody=x&QueueUrl="+form); a.status != 200 {
			t.Errorf("query %s: %s", form, a)
		}
	}
	out := s.call("GetQueueAttributes", members{
		"QueueUrl": url, "AttributeNames": []string{"ApproximateNumberOfMessages"},
	})["Attributes"].(members)
	if got := out["ApproximateNumberOfMessages"]; got != "22" || len(forms) != 11 {
		t.Errorf("%s messages came to the queue by %d forms", got, len(forms))
	}
}

// TestPaths: requests go to the queue's own path, as SDKs send them that take a queue's
// URL for the endpoint, and those of before 2012, which name the queue nowhere else.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.call("CreateQueue", members{"QueueName": "orders"})["QueueUrl"].(string)
	path := strings.TrimPrefix(url, s.base)
	object := http.Header{
		"X-Amz-Target": {"AmazonSQS.SendMessage"}, "Content-Type": {"application/x-amz-json-1.0"},
	}
	body, err := json.Marshal(members{"QueueUrl": url, "MessageBody": "x"})
	if err != nil {
		t.Fatal(err)
	}
	written := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	const send = "Action=SendMessage&Version=2012-11-05&MessageBody=x"
	for _, ask := range []struct {
		path   string
		header http.Header
		body   string
	}{
		{path, object, string(body)}, {path, written, send}, {path + "/", written, send},
	} {
		if resp, text := s.post(ask.path, ask.header, []byte(ask.body)); resp.StatusCode != 200 {
			t.Errorf("%s %v: %s %s", ask.path, ask.header, resp.Status, text)
		}
	}
	if resp, text := s.get(path + "?" + send); resp.StatusCode != http.StatusOK {
		t.Errorf("GET: %s %s", resp.Status, text)
	}
}

// get sends a request that is signed in its query string.
func (s *server) get(path string) (*http.Response, []byte) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	sigv4.Presign(req, nil, s.key, s.region, "sqs", time.Now(), time.Minute)
	return s.do(req)
}

// TestHosts: answers name the host by which the client came, so that it stays with it.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := []byte(`{"QueueName":"orders"}`)
	header := http.Header{
		"X-Amz-Target": {"AmazonSQS.CreateQueue"}, "Content-Type": {"application/x-amz-json-1.0"},
	}
	for _, host := range []string{"sqs.us-east-1.amazonaws.com", "localhost:4566", "[::1]:9324"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base,
			bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header, req.Host = header.Clone(), host
		sigv4.Sign(req, body, s.key, s.region, "sqs", time.Now())
		resp, text := s.do(req)
		var out struct{ QueueUrl string }
		if json.Unmarshal(text, &out); !strings.HasPrefix(out.QueueUrl, "https://"+host+"/") {
			t.Errorf("%s: %s %s", host, resp.Status, text)
		}
	}
}

// TestNoCrossOrigin: pages of other origins get no leave to call.
func TestNoCrossOrigin(t *testing.T) {
	t.Parallel()
	s := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.base, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Origin": {"https://example.com"}, "Access-Control-Request-Method": {"POST"},
	}
	resp, _ := s.do(req)
	if resp.StatusCode < 400 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
}
