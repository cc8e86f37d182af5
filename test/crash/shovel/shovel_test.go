package shovel

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/process"
	"coffer/test/rabbitmq"
)

// patience is how long one step may take, on a machine that does much else.
const patience = 5 * time.Minute

// scene is a RabbitMQ with TLS, and a Coffer whose shovels carry messages from its queue
// src to a queue here, and on to its queue dst.
type scene struct {
	t      *testing.T
	dir    string
	uri    string // of RabbitMQ, over TLS
	tls    *tls.Config
	rabbit *rabbitmq.Server
	binary string
	coffer *process.Process
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	s.rabbit, err = rabbitmq.Start(ctx, rabbitmq.Config{
		Users: []rabbitmq.User{{Name: "guest", Password: "gu@st"}}, TLS: true,
	})
	if errors.Is(err, rabbitmq.ErrMissing) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() {
		if err := s.rabbit.Stop(); err != nil {
			t.Error(err)
		}
	})
	pem, err := os.ReadFile(s.rabbit.CA)
	must(t, err)
	s.tls = &tls.Config{RootCAs: x509.NewCertPool()}
	s.tls.RootCAs.AppendCertsFromPEM(pem)
	s.uri = "amqps://guest:gu%40st@" + s.rabbit.TLS + "/%2f"
	s.binary, err = process.Build(ctx, s.dir)
	must(t, err)
	s.startCoffer()
	t.Cleanup(func() {
		if err := s.coffer.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) startCoffer() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var err error
	s.coffer, err = process.Start(ctx, s.binary, filepath.Join(s.dir, "data"))
	must(s.t, err)
}

// file reads a file of Coffer's data directory.
func (s *scene) file(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "data", name))
	must(s.t, err)
	return b
}

// ask calls Coffer's management API.
func (s *scene) ask(method, path string, body any) []byte {
	s.t.Helper()
	var e struct{ Management int }
	must(s.t, json.Unmarshal(s.file("endpoints.json"), &e))
	text, err := json.Marshal(body)
	must(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), method,
		fmt.Sprintf("https://localhost:%d/api/%s", e.Management, path), bytes.NewReader(text))
	must(s.t, err)
	r.SetBasicAuth("admin", strings.TrimSpace(string(s.file("main-admin"))))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.file("ca.pem"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	must(s.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return answer
}

// shovel sets a shovel.
func (s *scene) shovel(name string, value map[string]any) {
	s.t.Helper()
	value["reconnect-delay"] = 0.1
	s.ask("PUT", "parameters/shovel/%2F/"+name, map[string]any{"value": value})
}

// declare makes RabbitMQ's queues.
func (s *scene) declare(queues ...string) {
	s.t.Helper()
	conn, err := amqp.DialTLS(s.uri, s.tls)
	must(s.t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(s.t, err)
	for _, q := range queues {
		_, err := ch.QueueDeclare(q, true, false, false, false, nil)
		must(s.t, err)
	}
}

// kill ends one of the two, or both, as kill -9 does, and starts it again.
func (s *scene) kill(rabbit, coffer bool) {
	s.t.Helper()
	if rabbit {
		s.rabbit.Kill()
	}
	if coffer {
		must(s.t, s.coffer.Kill())
		s.startCoffer()
	}
	if rabbit {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		must(s.t, s.rabbit.Restart(ctx))
	}
}

// rounds is how often something is killed.
func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("COFFER_CRASH_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// seed is that of the times of kills.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("COFFER_CRASH_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Log("seed", n)
	return n
}

// TestKill carries messages from RabbitMQ to Coffer and back while one of them, or both,
// are killed. All that RabbitMQ has confirmed to the publisher arrives.
func TestKill(t *testing.T) {
	s := newScene(t)
	s.declare("src", "dst")
	there := s.uri + "?cacertfile=" + s.rabbit.CA
	s.shovel("in", map[string]any{
		"src-uri": there, "src-queue": "src", "dest-uri": "amqp://", "dest-queue": "here",
		"src-prefetch-count": 200,
	})
	s.shovel("out", map[string]any{
		"src-uri": "amqp://", "src-queue": "here", "dest-uri": there, "dest-queue": "dst",
		"dest-queue-args": map[string]any{}, "src-prefetch-count": 200,
	})
	book := newLedger()
	c := &client{uri: s.uri, tls: s.tls, ledger: book}
	sending, stopSending := context.WithCancel(t.Context())
	taking, stopTaking := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer stopTaking()
	defer stopSending()
	work.Go(func() { c.publish(sending, "src") })
	work.Go(func() {
		c.consume(taking, "dst", func(body string) { t.Errorf("not sent: %.40q", body) })
	})
	rng := rand.New(rand.NewPCG(seed(t), 0))
	for i := range rounds(t) {
		s.awaitArrivals(book, 50+rng.IntN(1000))
		who := i % 3
		s.kill(who != 1, who != 0)
	}
	s.awaitArrivals(book, 500)
	stopSending()
	s.awaitAll(book)
	arrived, sent, _, _ := book.state()
	t.Logf("%d sent, %d arrived, %d of them more than once", sent, arrived, book.twice())
}

// awaitArrivals waits for so many further messages.
func (s *scene) awaitArrivals(book *ledger, n int) {
	s.t.Helper()
	late := time.After(patience)
	before, _, _, _ := book.state()
	for {
		arrived, sent, _, changed := book.state()
		if arrived >= before+n {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("%d of %d messages arrived, %d sent in all\n%s\n%s", arrived-before, n,
				sent, s.coffer.Log(), s.rabbit.Log())
		}
	}
}

// awaitAll waits until nothing that was confirmed is missing.
func (s *scene) awaitAll(book *ledger) {
	s.t.Helper()
	late := time.After(patience)
	for {
		_, _, missing, changed := book.state()
		if len(missing) == 0 {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("LOST: %d confirmed messages have not arrived: %v\n%s", len(missing),
				missing[:min(len(missing), 20)], s.coffer.Log())
		}
	}
}
