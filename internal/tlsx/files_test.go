package tlsx

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write puts a certificate of ca for key into files of dir and names them.
func write(t *testing.T, ca *CA, dir, name string, key crypto.Signer) Pair {
	t.Helper()
	leaves := newLeaves(t, ca, LeavesConfig{})
	s, err := leaves.sign(key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")}
	for file, block := range map[string]*pem.Block{
		p.Cert: {Type: "CERTIFICATE", Bytes: s.cert.Certificate[0]},
		p.Key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// generate makes a key or fails the test.
func generate(t *testing.T, f func() (crypto.Signer, error)) crypto.Signer {
	t.Helper()
	key, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestFiles serves both kinds of the user's certificates, and new ones after
// Reload; a damaged file leaves the old ones in use.
func TestFiles(t *testing.T) {
	t.Parallel()
	ca, dir := newCA(t, time.Now()), t.TempDir()
	ec := write(t, ca, dir, "ecdsa", generate(t, generateECDSA))
	files, err := LoadFiles(ec, write(t, ca, dir, "rsa", generate(t, generateRSA)))
	if err != nil {
		t.Fatal(err)
	}
	server := Compatible.Server(files.Certificate)
	for suite, want := range map[uint16]x509.PublicKeyAlgorithm{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   x509.RSA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: x509.ECDSA,
	} {
		state, err := handshake(t, server, only(client(ca), suite))
		if err != nil || state.PeerCertificates[0].PublicKeyAlgorithm != want {
			t.Errorf("%v: %v", want, err)
		}
	}
	first, notAfter := serial(t, server, client(ca))
	if !files.NotAfter().Equal(notAfter) {
		t.Errorf("expires %v, want %v", files.NotAfter(), notAfter)
	}
	if changed, err := files.Reload(); changed || err != nil {
		t.Errorf("reload of the same: %v, %v", changed, err)
	}
	write(t, ca, dir, "ecdsa", generate(t, generateECDSA))
	if changed, err := files.Reload(); !changed || err != nil {
		t.Errorf("reload: %v, %v", changed, err)
	}
	second, _ := serial(t, server, client(ca))
	if err := os.Truncate(ec.Cert, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Reload(); err == nil || !strings.Contains(err.Error(), ec.Cert) {
		t.Errorf("reload of a damaged file: %v", err)
	}
	if third, _ := serial(t, server, client(ca)); second == first || third != second {
		t.Errorf("served %s, %s, %s", first, second, third)
	}
}

// TestFilesRefused names the file in every error.
func TestFilesRefused(t *testing.T) {
	t.Parallel()
	ca, dir := newCA(t, time.Now()), t.TempDir()
	good := write(t, ca, dir, "good", generate(t, generateECDSA))
	other := write(t, ca, dir, "other", generate(t, generateECDSA))
	small := write(t, ca, dir, "small", generate(t, func() (crypto.Signer, error) {
		return rsa.GenerateKey(rand.Reader, 1024)
	}))
	edwards := write(t, ca, dir, "edwards", generate(t, func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}))
	missing := filepath.Join(dir, "missing")
	for name, c := range map[string]struct {
		pair Pair
		file string
	}{
		"another's key": {Pair{good.Cert, other.Key}, other.Key},
		"no cert":       {Pair{missing, good.Key}, missing},
		"no key":        {Pair{good.Cert, missing}, missing},
		"swapped":       {Pair{good.Key, good.Cert}, good.Key},
		"small":         {small, small.Cert},
		"Ed25519":       {edwards, edwards.Cert},
	} {
		if _, err := LoadFiles(c.pair); err == nil || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadFiles(); err == nil {
		t.Error("loaded no files")
	}
}
