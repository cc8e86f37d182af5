package soak

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"coffer/internal/amqpclient"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/test/churn"
)

// churning is how many connections are opened and closed in each window.
const churning = 24

// accompany does once what goes on beside the flows: each thing in its turn, spread over
// the window.
func (r *run) accompany(ctx context.Context, n int) {
	list := []struct {
		what string
		do   func(*place) error
	}{
		{"churn", func(p *place) error { return churn.Connections(ctx, p.main, churning) }},
		{"management", func(p *place) error { return r.manage(ctx, p) }},
		{"kms", func(p *place) error { return r.crypt(ctx, p) }},
		{"topology", func(p *place) error { return topology(ctx, p.main, n) }},
		{"round trip", func(p *place) error {
			return roundTrip(ctx, p.sealed, fmt.Sprint("company-", n))
		}},
		{"mq", func(p *place) error {
			return p.api.MQ(ctx, http.MethodGet, "/v1/brokers", nil, nil)
		}},
		{"cloudtrail", func(p *place) error {
			return p.api.CloudTrail(ctx, "LookupEvents", map[string]any{"MaxResults": 20}, nil)
		}},
		{"leak", func(p *place) error { return r.leakConnections(ctx, p.main) }},
	}
	for _, c := range list {
		begun := time.Now()
		r.judge(c.what, r.host.use(c.do), begun)
		wait(ctx, r.cfg.Window/time.Duration(2*len(list)))
	}
}

// manage asks the management API what its pages ask.
func (r *run) manage(ctx context.Context, p *place) error {
	u, err := url.Parse(p.management)
	if err != nil {
		return fmt.Errorf("the management URL is malformed")
	}
	pem, err := os.ReadFile(p.main.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
	for _, path := range []string{
		"overview", "queues", "connections", "channels", "consumers", "nodes", "definitions",
	} {
		u.Path = "/api/" + path
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, resp.Status)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// crypt uses a key of its own, and makes and revokes a grant on it.
func (r *run) crypt(ctx context.Context, p *place) error {
	if r.own == "" {
		key, err := p.api.CreateKey(ctx)
		if err != nil {
			return err
		}
		r.own = key
	}
	key := map[string]any{"KeyId": r.own}
	in := map[string]any{"KeyId": r.own, "Plaintext": []byte("plain")}
	var out struct{ CiphertextBlob, Plaintext []byte }
	if err := p.api.KMS(ctx, "Encrypt", in, &out); err != nil {
		return err
	}
	in = map[string]any{"CiphertextBlob": base64.StdEncoding.EncodeToString(out.CiphertextBlob)}
	if err := p.api.KMS(ctx, "Decrypt", in, &out); err != nil {
		return err
	}
	if string(out.Plaintext) != "plain" {
		return fmt.Errorf("decrypted %q", out.Plaintext)
	}
	var grant struct{ GrantId string }
	err := p.api.KMS(ctx, "CreateGrant", map[string]any{
		"KeyId": r.own, "GranteePrincipal": "arn:aws:iam::000000000000:root",
		"Operations": []string{"Decrypt"},
	}, &grant)
	if err != nil {
		return err
	}
	key["GrantId"] = grant.GrantId
	return p.api.KMS(ctx, "RevokeGrant", key, nil)
}

// topology makes a small topology, uses it and takes it away.
func topology(ctx context.Context, to amqpclient.Config, n int) error {
	x, q := fmt.Sprint("passing-", n), fmt.Sprint("passing-", n)
	c, err := dialLean(ctx, to,
		append(declaring(q), &wire.ExchangeDeclare{Exchange: x, Type: "topic", Durable: true},
			&wire.QueueBind{Queue: q, Exchange: x, RoutingKey: "a.*"},
			&wire.QueueUnbind{Queue: q, Exchange: x, RoutingKey: "a.*"},
			&wire.ExchangeDelete{Exchange: x})...)
	if err != nil {
		return err
	}
	defer c.Close()
	return moveOne(c, q)
}

// declaring is what moveOne needs before.
func declaring(queue string) []wire.Method {
	return []wire.Method{&wire.ConfirmSelect{}, &wire.QueueDeclare{Queue: queue, Durable: true}}
}

// errRefused says that a message was refused.
var errRefused = errors.New("the message is refused")

// moveOne moves a message through a queue, deletes that, and says goodbye.
func moveOne(c *amqpclient.Conn, queue string) error {
	if err := c.Publish(channel, "", queue, true, []byte("passing")); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	ok := false
	for told := false; !told; {
		e, err := c.Next()
		if err != nil {
			return err
		}
		switch e.Method.(type) {
		case *wire.BasicAck:
			told, ok = true, true
		case *wire.BasicNack:
			told = true
		}
	}
	if _, err := c.Call(channel, &wire.QueueDelete{Queue: queue}); err != nil {
		return err
	}
	if err := c.Goodbye(); err != nil || ok {
		return err
	}
	return errRefused
}
