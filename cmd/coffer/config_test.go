package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// settings runs settle over the flags of serve.
func settings(t *testing.T, args []string, env map[string]string, file string) (
	func(name string) string, error,
) {
	t.Helper()
	for _, kv := range os.Environ() { // as if the caller had set nothing
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "COFFER_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for name, v := range env {
		t.Setenv(name, v)
	}
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "coffer.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := serveCommand()
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	err := settle(c.Flags(), path)
	return func(name string) string { return c.Flags().Lookup(name).Value.String() }, err
}

// TestPrecedence: a flag goes before the environment, that before the file, that
// before the default.
func TestPrecedence(t *testing.T) {
	get, err := settings(t,
		[]string{"--api-port=1"},
		map[string]string{"COFFER_API_PORT": "2", "COFFER_AMQP_PORT": "2"},
		"api-port: 3\namqp-port: 3\nmetrics-port: 3\nhostname: mq.example\n"+
			"insecure-loopback: true\nbroker-ports: 1-2\ntls-cert: [a.pem, b.pem]\nlisten:\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"api-port": "1", "amqp-port": "2", "metrics-port": "3", "hostname": "mq.example",
		"insecure-loopback": "true", "broker-ports": "1-2", "tls-cert": "[a.pem,b.pem]",
		"listen": "127.0.0.1", "amqp-plain-port": "5672",
	} {
		if got := get(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestWrongSettings are refused by the name under which they were given.
func TestWrongSettings(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		file string
		text string
	}{
		"unknown variable": {map[string]string{"COFFER_API_PROT": "1"}, "", "COFFER_API_PROT"},
		"wrong variable":   {map[string]string{"COFFER_API_PORT": "x"}, "", "COFFER_API_PORT"},
		"unknown name":     {nil, "api_port: 1\n", `unknown setting "api_port"`},
		"wrong value":      {nil, "api-port: many\n", `api-port: wrong value "many"`},
		"nested":           {nil, "api-port: {a: 1}\n", "api-port: wrong value"},
		"no YAML":          {nil, "a: [", "coffer.yaml"},
		"no map":           {nil, "- a\n", "coffer.yaml"},
		"config in config": {nil, "config: other\n", `unknown setting "config"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settings(t, nil, c.env, c.file)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v lacks %q", err, c.text)
			}
		})
	}
	if _, err := readFile("/does/not/exist"); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// TestClientVariables: what `coffer env` prints may stand in serve's
// environment.
func TestClientVariables(t *testing.T) {
	_, err := settings(t, nil, map[string]string{"COFFER_CA": "a", "COFFER_AMQP_URL": "b",
		"COFFER_AMQP_PLAIN_URL": "c"}, "")
	if err != nil {
		t.Error(err)
	}
}

// TestQuote makes one word of any value.
func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://localhost:4566": "https://localhost:4566", "": "''", "a b": "'a b'",
		"it's": `'it'\''s'`, "$(rm -rf)": "'$(rm -rf)'", "a\nb": "'a\nb'", "~": "'~'", "ü": "'ü'",
		"%2f+=,": "%2f+=,",
	} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
