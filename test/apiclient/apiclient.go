// Package apiclient calls the AWS APIs of a running Coffer for tests, signed with
// what `coffer env` prints. It is not the SDK, which would take longer to compile
// than most tests that need a few calls.
//
// It keeps no connection, unless it is told to, and tries nothing again.
package apiclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"coffer/internal/aws/sigv4"
)

// Client calls as one access key. It is for many goroutines.
type Client struct {
	endpoint, region string
	key              sigv4.Key
	ca               string // file
	kept             *http.Client
}

// New makes a client of what `coffer env` prints.
func New(env map[string]string) (*Client, error) {
	c := &Client{
		endpoint: env["AWS_ENDPOINT_URL"], region: env["AWS_REGION"],
		key: sigv4.Key{
			AccessKeyID: env["AWS_ACCESS_KEY_ID"],
			Secret:      sigv4.NewSecret(env["AWS_SECRET_ACCESS_KEY"]),
		},
		ca: env["AWS_CA_BUNDLE"],
	}
	_, err := c.http()
	return c, err
}

// Keep gives a client that keeps its connections until close is called, and trusts what
// the file says now.
func (a *Client) Keep() (c *Client, close func(), err error) {
	c = &Client{endpoint: a.endpoint, region: a.region, key: a.key, ca: a.ca}
	if c.kept, err = a.http(); err != nil {
		return nil, nil, err
	}
	t := c.kept.Transport.(*http.Transport)
	t.DisableKeepAlives = false
	return c, t.CloseIdleConnections, nil
}

// http makes a client for one call, which trusts what the file says now.
func (a *Client) http() (*http.Client, error) {
	if a.kept != nil {
		return a.kept, nil
	}
	pem, err := os.ReadFile(a.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}}, nil
}

// KMS calls an operation of KMS, in JSON 1.1.
func (a *Client) KMS(ctx context.Context, operation string, in, out any) error {
	return a.json(ctx, "kms", "TrentService."+operation, in, out)
}

// CloudTrail calls an operation of CloudTrail, in JSON 1.1.
func (a *Client) CloudTrail(ctx context.Context, operation string, in, out any) error {
	const prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
	return a.json(ctx, "cloudtrail", prefix+operation, in, out)
}

// SQS calls an operation of SQS.
func (a *Client) SQS(ctx context.Context, operation string, in, out any) error {
	return a.json(ctx, "sqs", "AmazonSQS."+operation, in, out)
}

func (a *Client) json(ctx context.Context, service, target string, in, out any) error {
	header := http.Header{
		"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"},
	}
	return a.call(ctx, service, http.MethodPost, "/", header, in, out)
}

// MQ calls an operation of Amazon MQ, in REST JSON.
func (a *Client) MQ(ctx context.Context, method, path string, in, out any) error {
	header := http.Header{"Content-Type": {"application/json"}}
	return a.call(ctx, "mq", method, path, header, in, out)
}

func (a *Client) call(
	ctx context.Context, service, method, path string, header http.Header, in, out any,
) error {
	var body []byte
	var err error
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, a.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header
	sigv4.Sign(req, body, a.key, a.region, service, time.Now())
	client, err := a.http()
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &Error{service + " " + path, resp.StatusCode, string(text)}
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// Error is an answer other than 200.
type Error struct {
	What   string // service and path
	Status int
	Text   string // the body
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %d: %s", e.What, e.Status, e.Text) }

// CreateKey makes a symmetric key and gives its ARN.
func (a *Client) CreateKey(ctx context.Context) (string, error) {
	var key struct{ KeyMetadata struct{ Arn string } }
	err := a.KMS(ctx, "CreateKey", map[string]any{}, &key)
	return key.KeyMetadata.Arn, err
}

// CreateBroker makes a single instance under a key, with one user, and gives its id.
func (a *Client) CreateBroker(
	ctx context.Context, name, key, user, password string,
) (string, error) {
	var out struct {
		ID string `json:"brokerId"`
	}
	err := a.MQ(ctx, http.MethodPost, "/v1/brokers", map[string]any{
		"brokerName": name, "engineType": "RABBITMQ", "deploymentMode": "SINGLE_INSTANCE",
		"hostInstanceType": "mq.m5.large", "publiclyAccessible": false,
		"autoMinorVersionUpgrade": true,
		"users":                   []map[string]any{{"username": user, "password": password}},
		"encryptionOptions":       map[string]any{"useAwsOwnedKey": false, "kmsKeyId": key},
	}, &out)
	return out.ID, err
}

// Broker is what DescribeBroker gives of one.
type Broker struct {
	State     string `json:"brokerState"`
	Instances []struct {
		Endpoints []string `json:"endpoints"`
	} `json:"brokerInstances"`
}

// Describe gives what is known of a broker.
func (a *Client) Describe(ctx context.Context, id string) (b Broker, err error) {
	err = a.MQ(ctx, http.MethodGet, "/v1/brokers/"+id, nil, &b)
	return b, err
}

// Await asks for a broker until it is in a state.
func (a *Client) Await(ctx context.Context, id, state string) (b Broker, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err = a.Describe(ctx, id)
		if err != nil || b.State == state && len(b.Instances) > 0 {
			return b, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return b, fmt.Errorf("broker is %s, not %s: %w", b.State, state, context.Cause(ctx))
		}
	}
}
