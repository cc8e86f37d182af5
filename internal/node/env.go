package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"coffer/internal/fault"
)

// Variable is one line of `coffer env`.
type Variable struct{ Name, Value string }

// Env gives what clients of the running process at a data directory need. When
// nothing runs there it is an error of kind fault.Unavailable.
func Env(ctx context.Context, data string) ([]Variable, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	e, err := readEndpoints(data)
	if err != nil {
		return nil, err
	}
	ca := filepath.Join(data, fileCA)
	if err := probe(ctx, ca, e); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err,
			"nothing runs on "+data+"; start it with: coffer serve --data "+data)
	}
	key, secret, err := readCredentials(filepath.Join(data, fileCredentials))
	if err != nil {
		return nil, err
	}
	admin, err := os.ReadFile(filepath.Join(data, fileMainAdmin))
	if err != nil {
		return nil, err
	}
	host := func(port int) string { return net.JoinHostPort(e.Hostname, strconv.Itoa(port)) }
	user := url.UserPassword(mainUser, strings.TrimSpace(string(admin))).String()
	list := []Variable{
		{"AWS_ENDPOINT_URL", "https://" + host(e.API)}, {"AWS_CA_BUNDLE", ca},
		{"AWS_ACCESS_KEY_ID", key}, {"AWS_SECRET_ACCESS_KEY", secret},
		{"AWS_REGION", Region}, {"AWS_DEFAULT_REGION", Region}, {"COFFER_CA", ca},
	}
	if e.AMQP != 0 {
		list = append(list, Variable{"COFFER_AMQP_URL",
			"amqps://" + user + "@" + host(e.AMQP) + "/%2f"})
	}
	if e.Management != 0 {
		list = append(list, Variable{"COFFER_MANAGEMENT_URL",
			"https://" + user + "@" + host(e.Management)})
	}
	if e.AMQPPlain != 0 {
		list = append(list, Variable{"COFFER_AMQP_PLAIN_URL",
			"amqp://" + user + "@" + host(e.AMQPPlain) + "/%2f"})
	}
	return list, nil
}

func readEndpoints(data string) (*Endpoints, error) {
	b, err := os.ReadFile(filepath.Join(data, fileEndpoints))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Unavailable,
			"nothing runs on %s; start it with: coffer serve --data %s", data, data)
	}
	if err != nil {
		return nil, err
	}
	e := &Endpoints{}
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("read %s: %w", fileEndpoints, err)
	}
	return e, nil
}

// probe reaches the API with the directory's own CA: only its process can
// answer.
func probe(ctx context.Context, ca string, e *Endpoints) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{
		RootCAs: pool, ServerName: e.Hostname, MinVersion: tls.VersionTLS12,
	}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(e.Hostname, strconv.Itoa(e.API)))
	if err != nil {
		return err
	}
	return conn.Close()
}

const credentialsFormat = "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n"

func readCredentials(path string) (key, secret string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	if _, err := fmt.Sscanf(string(b), credentialsFormat, &key, &secret); err != nil {
		return "", "", fault.New(fault.Invalid, "%s is not as Coffer wrote it", path)
	}
	return key, secret, nil
}
