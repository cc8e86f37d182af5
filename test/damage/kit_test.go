package damage

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/node"
)

const queueName = "ledger"

// pair writes a certificate, so that a start does not make an RSA key.
func pair(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
	return cert, key
}

// world starts processes on copies of one data directory.
type world struct {
	t               testing.TB
	cert, key, pass string
	published       int
}

func (w *world) config(dir string) node.Config {
	return node.Config{
		Data: dir, AutoPorts: true, TLSCert: []string{w.cert}, TLSKey: []string{w.key},
		Logger: slog.New(slog.DiscardHandler),
	}
}

// dial opens a channel of the process on dir.
func (w *world) dial(dir string) (*amqp.Connection, *amqp.Channel, error) {
	text, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if err != nil {
		return nil, nil, err
	}
	var e node.Endpoints
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	chain, err := os.ReadFile(w.cert)
	if err != nil {
		return nil, nil, err
	}
	roots.AppendCertsFromPEM(chain)
	host := net.JoinHostPort("localhost", fmt.Sprint(e.AMQP))
	c, err := amqp.DialTLS("amqps://"+url.UserPassword("admin", w.pass).String()+"@"+host+"/%2f",
		&tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		return nil, nil, err
	}
	ch, err := c.Channel()
	return c, ch, err
}

func body(n int) string { return fmt.Sprintf("%06d ", n) + strings.Repeat("0123456789abcdef", 60) }

// fill starts a process, publishes n confirmed messages, lets during look at the
// directory, and stops.
func (w *world) fill(dir string, n int, during func()) {
	t := w.t
	t.Helper()
	p, err := node.Start(context.Background(), w.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if w.pass == "" {
		text, err := os.ReadFile(filepath.Join(dir, "main-admin"))
		if err != nil {
			t.Fatal(err)
		}
		w.pass = strings.TrimSpace(string(text))
	}
	c, ch, err := w.dial(dir)
	if err == nil {
		err = ch.Confirm(false)
	}
	if err == nil {
		_, err = ch.QueueDeclare(queueName, true, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	var last *amqp.DeferredConfirmation
	for i := range n {
		if i == n/2 {
			flush(t, dir)
		}
		last, err = ch.PublishWithDeferredConfirm("", queueName, false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: []byte(body(w.published)),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.published++
	}
	if !last.Wait() {
		t.Fatal("a message was refused")
	}
	c.Close()
	if during != nil {
		during()
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// flush brings what a process has in its log into tables, by the way of a backup, which
// needs it there. Without that a store as small as these has none.
func flush(t testing.TB, dir string) {
	t.Helper()
	_, err := node.Backup(context.Background(), node.BackupConfig{
		Data: dir, To: filepath.Join(t.TempDir(), "backup"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// drain takes all messages of the process on dir in order. An error is what a
// client is told; missing or wrong ones that nobody told of are a failure.
func (w *world) drain(dir string) (told error, silent string) {
	c, ch, err := w.dial(dir)
	if err != nil {
		return err, ""
	}
	defer c.Close()
	for n := range w.published {
		d, ok, err := ch.Get(queueName, true)
		switch {
		case err != nil:
			return err, ""
		case !ok:
			return nil, fmt.Sprintf("message %d of %d is gone", n, w.published)
		case string(d.Body) != body(n):
			return nil, fmt.Sprintf("message %d is wrong: %.20q", n, d.Body)
		}
	}
	return nil, ""
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tree reads every file of a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name] = string(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// plant writes a tree into a new directory.
func plant(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(text))
	}
}
