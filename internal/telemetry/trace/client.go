package trace

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"coffer/internal/fault"
)

// client sends spans to a collector. The exporter's own one for HTTP would bring gRPC and
// all it needs into the binary.
type client struct {
	url  string
	http *http.Client
}

var _ otlptrace.Client = (*client)(nil)

// usualPath is where a collector takes spans.
//
// Source: OpenTelemetry Protocol, "OTLP/HTTP request".
const usualPath = "/v1/traces"

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

func newClient(endpoint, ca string) (*client, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.New(fault.Invalid,
			"the endpoint of traces is no URL such as https://collector:4318")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fault.New(fault.Invalid, "the endpoint of traces, %s, is to be reached over "+
			"https, as it is not on this machine", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fault.New(fault.Invalid, "the endpoint of traces, %s, is neither https nor "+
			"http", u.Redacted())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = usualPath
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the authorities of traces cannot be read")
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "%s holds no certificate", ca)
		}
	}
	return &client{u.String(), &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: config, ForceAttemptHTTP2: true, MaxConnsPerHost: 1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Start is [otlptrace.Client]'s.
func (c *client) Start(context.Context) error { return nil }

// Stop is [otlptrace.Client]'s.
func (c *client) Stop(context.Context) error { return nil }

// UploadTraces is [otlptrace.Client]'s. What a collector takes has the same form as the
// data that it keeps.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "coffer")
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the collector answered with status %d", resp.StatusCode)
	}
	return nil
}
