package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kmsapi "coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/sigv4"
	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/service/iam"
)

// What BenchmarkRevocation measures: so many requests, of brokers under load, on a key
// with so many grants.
const (
	revocations   = 50
	loadedBrokers = 2
	manyGrants    = 10_000
)

// moments are when what was last, in nanoseconds since the Unix epoch.
type moments struct {
	used    atomic.Int64 // the last seal or open that succeeded was over
	request atomic.Int64 // the last request had arrived
	fence   atomic.Int64 // the last fence stood
}

// stopwatch notes when a broker last used its key.
type stopwatch struct {
	broker.Domain
	m *moments
}

// Seal is [broker.Domain]'s.
func (s stopwatch) Seal(dst []byte, h seal.Header, plain []byte) ([]byte, error) {
	out, err := s.Domain.Seal(dst, h, plain)
	s.note(err)
	return out, err
}

// Open is [broker.Domain]'s.
func (s stopwatch) Open(dst, rec []byte) ([]byte, error) {
	out, err := s.Domain.Open(dst, rec)
	s.note(err)
	return out, err
}

func (s stopwatch) note(err error) {
	if err == nil {
		s.m.used.Store(time.Now().UnixNano())
	}
}

// BenchmarkRevocation disables a key with 10 000 grants, over HTTPS, while every broker
// under it seals and opens as much as it can, and prints how long it takes from the arrival of
// the request until the fence stands, and until the last message was sealed or opened. The
// clients of the load run on the same cores.
func BenchmarkRevocation(b *testing.B) {
	m := &moments{}
	w := newWorld(b, func(c *Config) {
		c.Logger = slog.New(slog.DiscardHandler)
		c.gauge = &gauge{
			sealer:  func(d broker.Domain) broker.Domain { return stopwatch{d, m} },
			arrived: func() { m.request.Store(time.Now().UnixNano()) },
			fenced:  func() { m.fence.Store(time.Now().UnixNano()) },
		}
	})
	key, names := w.keyWithGrants(b)
	load := newLoad(b)
	for i := range loadedBrokers {
		body := createBody(fmt.Sprint("loaded", i))
		body["encryptionOptions"] = object{"useAwsOwnedKey": false, "kmsKeyId": key}
		if status, out := w.call("POST", "/v1/brokers", body); status != 200 {
			b.Fatalf("%d %v", status, out)
		}
		w.n.fleet.work.Wait()
	}
	for id, port := range w.endpoints().Brokers {
		if id != w.main() {
			load.begin(fmt.Sprintf("amqps://admin:A-long-password-1@localhost:%d/%%2f", port),
				filepath.Join(w.cfg.Data, fileCA))
		}
	}
	client := w.keyClient(b)
	network, fence := newTimes("(request on its way)"), newTimes("fence stands")
	last, answer := newTimes("last seal or open"), newTimes("answer")
	for b.Loop() {
		for range revocations {
			load.flows()
			begin := time.Now()
			client.kms("DisableKey", object{"KeyId": key})
			arrived := time.Unix(0, m.request.Load())
			network.add(arrived.Sub(begin))
			answer.add(time.Since(arrived))
			fence.add(time.Unix(0, m.fence.Load()).Sub(arrived))
			last.add(time.Unix(0, m.used.Load()).Sub(arrived))
			client.kms("EnableKey", object{"KeyId": key})
		}
	}
	rate := load.end()
	b.Logf("%d brokers on a key of %d grants, %.0f messages per second between the locks\n%s",
		loadedBrokers, names, rate, table(network, fence, last, answer))
	b.ReportMetric(float64(fence.at(99).Microseconds())/1000, "p99-fence-ms")
	b.ReportMetric(float64(last.at(99).Microseconds())/1000, "p99-last-use-ms")
	if p := fence.at(99); p >= 10*time.Millisecond {
		b.Logf("p99 is %v, not below 10ms; what else does the machine do?", p)
	}
}

// keyWithGrants makes a key with many grants like those of brokers.
func (w *world) keyWithGrants(t testing.TB) (key string, grants int) {
	t.Helper()
	client := kmsapi.Client{Caller: &gateway.Caller{
		Gateway: w.n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
	out, err := client.CreateKey(t.Context(), &kmsapi.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	key = out.KeyMetadata.Arn
	for range manyGrants / 500 {
		err := w.n.db.Update(t.Context(), func(ctx context.Context, _ *control.Tx) error {
			for range 500 {
				grants++
				_, err := client.CreateGrant(ctx, &kmsapi.CreateGrantInput{
					KeyId: key, Operations: []string{"Decrypt"},
					GranteePrincipal: "mq.amazonaws.com", RetiringPrincipal: "ec2.amazonaws.com",
					Constraints: &kmsapi.GrantConstraints{
						EncryptionContextSubset: map[string]string{
							"aws:ebs:id": fmt.Sprintf("vol-%017x", grants)}},
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return key, grants
}

// keyClient sends signed requests over one connection.
type keyClient struct {
	t    testing.TB
	url  string
	http *http.Client
	key  sigv4.Key
}

func (w *world) keyClient(t testing.TB) *keyClient {
	t.Helper()
	id, secret, err := readCredentials(filepath.Join(w.cfg.Data, fileCredentials))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots()}}
	t.Cleanup(transport.CloseIdleConnections)
	return &keyClient{
		t: t, url: "https://" + net.JoinHostPort("localhost", strconv.Itoa(w.n.api.Port())),
		http: &http.Client{Transport: transport},
		key:  sigv4.Key{AccessKeyID: id, Secret: sigv4.NewSecret(secret)},
	}
}

// kms runs an operation that must succeed, and gives its answer.
func (s *keyClient) kms(op string, body object) (out object) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequest("POST", s.url, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", kmsapi.API.TargetPrefix+"."+op)
	sigv4.Sign(r, text, s.key, Region, "kms", time.Now())
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		s.t.Fatalf("%s: %d %s %v", op, resp.StatusCode, b, err)
	}
	if len(b) > 0 {
		must(s.t, json.Unmarshal(b, &out))
	}
	return out
}

// times are durations of one kind.
type times struct {
	name string
	list []time.Duration
}

func newTimes(name string) *times { return &times{name: name} }

func (t *times) add(d time.Duration) { t.list = append(t.list, d) }

// at gives the percentile by nearest rank.
func (t *times) at(percent int) time.Duration {
	slices.Sort(t.list)
	return t.list[(len(t.list)*percent+99)/100-1]
}

// table shows percentiles and a histogram of each.
func table(all ...*times) string {
	var text strings.Builder
	bounds := []time.Duration{time.Millisecond / 2, time.Millisecond, 2 * time.Millisecond,
		5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, time.Hour}
	fmt.Fprintf(&text, "%-20s %9s %9s %9s %9s", "since its arrival", "p50", "p90", "p99", "most")
	for _, b := range bounds[:len(bounds)-1] {
		fmt.Fprintf(&text, " %7s", "<"+b.String())
	}
	fmt.Fprintf(&text, " %7s\n", "more")
	for _, t := range all {
		fmt.Fprintf(&text, "%-20s", t.name)
		for _, p := range []int{50, 90, 99, 100} {
			fmt.Fprintf(&text, " %9s", t.at(p).Round(time.Microsecond))
		}
		before := 0
		for _, b := range bounds {
			n := 0
			for _, d := range t.list {
				if d < b {
					n++
				}
			}
			fmt.Fprintf(&text, " %7d", n-before)
			before = n
		}
		text.WriteByte('\n')
	}
	return text.String()
}
