package deploy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// binary is the built coffer, which all users may run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "coffer-deploy-*")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		binary, err = process.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// roundTrip sends a message to broker main of a data directory that is served, and gets
// it.
func roundTrip(t *testing.T, data string) {
	t.Helper()
	env := map[string]string{}
	out := kit.Run(t, binary, "env", "--data", data)
	for line := range strings.Lines(out.Out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[strings.TrimPrefix(name, "export ")] = strings.Trim(value, "'")
	}
	pem, err := os.ReadFile(env["COFFER_CA"])
	if err != nil {
		t.Fatalf("%v: %s", err, out.Err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := amqp.DialTLS(env["COFFER_AMQP_URL"], &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	if err := exchange(ctx, conn); err != nil {
		t.Error(err)
	}
}

func exchange(ctx context.Context, conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	const queue, body = "deployed", "through"
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	told, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	if err != nil {
		return err
	}
	if ok, err := told.WaitContext(ctx); !ok || err != nil {
		return fmt.Errorf("confirmed: %v, %v", ok, err)
	}
	d, ok, err := ch.Get(queue, true)
	if err != nil || !ok || string(d.Body) != body {
		return fmt.Errorf("got %q, %v, %v", d.Body, ok, err)
	}
	return nil
}
