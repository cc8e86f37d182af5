package kit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"
)

// AWS are the clients of one process.
type AWS struct {
	KMS   *kms.Client
	MQ    *mq.Client
	Trail *cloudtrail.Client
	STS   *sts.Client
	IAM   *iam.Client
	SQS   *sqs.Client
}

// AWS gives clients that sign as the root user. They do not try again: an
// answer is what it is.
func (s *Server) AWS() *AWS { s.t.Helper(); return s.AWSAs("", "") }

// AWSAs gives clients that sign with an access key of one's own.
func (s *Server) AWSAs(id, secret string) *AWS {
	s.t.Helper()
	if id == "" {
		id, secret = s.Env["AWS_ACCESS_KEY_ID"], s.Env["AWS_SECRET_ACCESS_KEY"]
	}
	return s.clients(id, secret, "")
}

// AWSWith gives clients that sign with temporary credentials.
func (s *Server) AWSWith(c *types.Credentials) *AWS {
	s.t.Helper()
	s.Secret(aws.ToString(c.SecretAccessKey))
	s.Secret(aws.ToString(c.SessionToken))
	return s.clients(aws.ToString(c.AccessKeyId), aws.ToString(c.SecretAccessKey),
		aws.ToString(c.SessionToken))
}

func (s *Server) clients(id, secret, token string) *AWS {
	s.t.Helper()
	cfg := aws.Config{
		Region:       s.Env["AWS_REGION"],
		BaseEndpoint: aws.String(s.Env["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, token),
		HTTPClient:   s.HTTP(),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(s.Calls.middleware(), middleware.After)
		}},
	}
	return &AWS{
		KMS: kms.NewFromConfig(cfg), MQ: mq.NewFromConfig(cfg),
		Trail: cloudtrail.NewFromConfig(cfg), STS: sts.NewFromConfig(cfg),
		IAM: iam.NewFromConfig(cfg), SQS: sqs.NewFromConfig(cfg),
	}
}

// HTTP gives a client that trusts the process's CA.
func (s *Server) HTTP() *http.Client {
	s.t.Helper()
	tr := &http.Transport{TLSClientConfig: s.TLS(), ForceAttemptHTTP2: true}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: Patience}
}

// TLS trusts the process's CA and nothing else.
func (s *Server) TLS() *tls.Config {
	s.t.Helper()
	pem, err := os.ReadFile(s.Env["COFFER_CA"])
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		s.t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// Do makes one call and fails the test unless it succeeds.
func Do[In, Opt, Out any](
	t testing.TB, call func(context.Context, *In, ...func(*Opt)) (*Out, error), in *In,
) *Out {
	t.Helper()
	out, err := call(t.Context(), in)
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	return out
}

// Refused makes one call that must fail with the code, and gives the text.
func Refused[In, Opt, Out any](
	t testing.TB, call func(context.Context, *In, ...func(*Opt)) (*Out, error), in *In, code string,
) string {
	t.Helper()
	_, err := call(t.Context(), in)
	got, text := Fault(err)
	if got != code {
		t.Fatalf("%T: %v, want %s", in, err, code)
	}
	return text
}
