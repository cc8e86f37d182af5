package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"coffer/internal/aws/sigv4"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// maxAnswer bounds the bytes of an answer.
const maxAnswer = 16 << 20

// apiClient calls the APIs of the process that runs on a data directory, with the
// credentials that lie there: it may what whoever reads those may.
type apiClient struct {
	url    string
	http   *http.Client
	key    sigv4.Key
	region string
}

var _ wire.Caller = (*apiClient)(nil)

// dialAPI reaches the running process; when there is none, the error is of kind
// fault.Unavailable.
func dialAPI(ctx context.Context, data string) (*apiClient, error) {
	e, err := readEndpoints(data)
	if err != nil {
		return nil, err
	}
	ca := filepath.Join(data, fileCA)
	if err := probe(ctx, ca, e); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "nothing answers on "+data)
	}
	id, secret, err := readCredentials(filepath.Join(data, fileCredentials))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf(
			"the credentials of the running process cannot be read: %v", err))
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12,
	}}
	return &apiClient{
		url:  "https://" + net.JoinHostPort(e.Hostname, strconv.Itoa(e.API)),
		http: &http.Client{Transport: transport, Timeout: time.Minute},
		key:  sigv4.Key{AccessKeyID: id, Secret: sigv4.NewSecret(secret)},

		region: Region,
	}, nil
}

// close gives the connections back.
func (c *apiClient) close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Call is [wire.Caller]'s.
func (c *apiClient) Call(ctx context.Context, api *wire.API, name string, in, out any) error {
	codec, err := wire.Compile(api)
	if err != nil {
		return err
	}
	op, ok := api.Op(name)
	if !ok {
		return fmt.Errorf("%s has no operation %s", api.Name, name)
	}
	answer, err := c.ask(ctx, codec, api, op, in)
	if err != nil {
		return err
	}
	return codec.DecodeResponse(op, answer, out)
}

// ask gives the answer as it came.
func (c *apiClient) ask(
	ctx context.Context, codec *wire.Codec, api *wire.API, op *wire.Op, in any,
) (*wire.Response, error) {
	name := op.Name
	asked, err := codec.EncodeRequest(op, in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, asked.Method, c.url+asked.Path,
		bytes.NewReader(asked.Body))
	if err != nil {
		return nil, err
	}
	for name, values := range asked.Header {
		r.Header[name] = values
	}
	r.Header.Set("User-Agent", "coffer")
	sigv4.Sign(r, asked.Body, c.key, c.region, api.SigningName, time.Now())
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the process does not answer")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, unanswered(name, resp.StatusCode, body)
	}
	return &wire.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// unanswered gives an error that the API answered its kind and its text.
func unanswered(name string, status int, body []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		return fmt.Errorf("%s: answered with status %d", name, status)
	}
	kind := fault.Invalid
	switch {
	case status >= http.StatusInternalServerError:
		kind = fault.Unavailable
	case e.Type == "LimitExceededException":
		kind = fault.Exhausted
	case e.Type == "AccessDeniedException":
		kind = fault.Denied
	case status == http.StatusNotFound:
		kind = fault.NotFound
	case status == http.StatusConflict:
		kind = fault.Conflict
	}
	return fault.New(kind, "%s: %s: %s", name, e.Type, e.Message)
}
