package crash

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

// api calls the AWS APIs of a process. It is not the SDK, which would take
// longer to compile than the whole test.
type api struct {
	endpoint, region string
	key              sigv4.Key
	http             *http.Client
}

// newAPI makes a client of what `coffer env` prints.
func newAPI(env map[string]string) (*api, error) {
	pem, err := os.ReadFile(env["AWS_CA_BUNDLE"])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &api{
		endpoint: env["AWS_ENDPOINT_URL"], region: env["AWS_REGION"],
		key: sigv4.Key{
			AccessKeyID: env["AWS_ACCESS_KEY_ID"],
			Secret:      sigv4.NewSecret(env["AWS_SECRET_ACCESS_KEY"]),
		},
		http: &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		}},
	}, nil
}

// kms calls an operation of KMS, in JSON 1.1.
func (a *api) kms(ctx context.Context, operation string, in, out any) error {
	header := http.Header{
		"X-Amz-Target": {"TrentService." + operation},
		"Content-Type": {"application/x-amz-json-1.1"},
	}
	return a.call(ctx, "kms", http.MethodPost, "/", header, in, out)
}

// mq calls an operation of Amazon MQ, in REST JSON.
func (a *api) mq(ctx context.Context, method, path string, in, out any) error {
	header := http.Header{"Content-Type": {"application/json"}}
	return a.call(ctx, "mq", method, path, header, in, out)
}

func (a *api) call(
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
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", service, path, resp.Status, text)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// broker is what DescribeBroker gives of one.
type broker struct {
	State     string `json:"brokerState"`
	Instances []struct {
		Endpoints []string `json:"endpoints"`
	} `json:"brokerInstances"`
}

// await asks for a broker until it is in a state.
func (a *api) await(ctx context.Context, id, state string) (b broker, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b = broker{}
		err = a.mq(ctx, http.MethodGet, "/v1/brokers/"+id, nil, &b)
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
