package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommitted: what is committed is what the models give, twice over.
func TestCommitted(t *testing.T) {
	dir := t.TempDir()
	if err := run(".", dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "api.go"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		got, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(f))
		want, err := os.ReadFile(filepath.Join("..", "..", "aws", "api", name, "api.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: go run . -out ../../aws/api", name)
		}
	}
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct{ java, goes, match, miss string }{
		{`[a-z]+`, `[a-z]+`, "abc", "aB"},
		{`[\u0009\u0020-\u00FF]+`, `[\x{0009}\x{0020}-\x{00FF}]+`, "\té ", "世"},
		{`[\uD800\uDC00-\uDBFF\uDFFF]`, `[\x{10000}-\x{10FFFF}]`, "😀", "a"},
		// Java reads four digits, so this is U+1000, then 0.
		{`\u10000`, `\x{1000}0`, "\u10000", "\U00010000"},
	} {
		got, err := translate(c.java)
		if err != nil || got != c.goes {
			t.Errorf("%s: got %s, %v", c.java, got, err)
			continue
		}
		re := regexp.MustCompile("^(?:" + got + ")$")
		if !re.MatchString(c.match) || re.MatchString(c.miss) {
			t.Errorf("%s matches wrongly", got)
		}
	}
	if _, err := translate(`a(?!b)`); err == nil {
		t.Error("look-ahead passes")
	}
}

func TestCamel(t *testing.T) {
	for value, want := range map[string]string{
		"RSA_2048": "Rsa2048", "Enabled": "Enabled", "mq.m5": "MqM5", "*": "",
		"ECC_NIST_P256": "EccNistP256", "ReEncryptTo": "ReEncryptTo",
	} {
		if got := camel(value); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

// TestRefuses: a model that no codec can carry is an error, not a gap.
func TestRefuses(t *testing.T) {
	const head = `{"metadata":{"protocol":"query"},"operations":{"Get":{"output":{"shape":"Out",` +
		`"resultWrapper":"GetResult"}}},"shapes":{"Out":`
	for _, c := range []struct{ src, want string }{
		{strings.Replace(head, "GetResult", "X", 1) + `{"type":"structure"}}}`, "result wrapper"},
		{head + `{"type":"structure","eventstream":true}}}`, "streams"},
		{head + `{"type":"structure","members":{"B":{"shape":"Out","streaming":true}}}}}`,
			"member B"},
		{head + `{"type":"structure","members":{"B":{"shape":"S"}}},` +
			`"S":{"type":"string","pattern":"a(?!b)"}}}`, "pattern"},
	} {
		file := filepath.Join(t.TempDir(), "m.json")
		if err := os.WriteFile(file, []byte(c.src), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := service("m", file, file+".none")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
