package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/tlsx"
)

// trusts reports whether a client that trusts a bundle can connect.
func (w *world) trusts(bundle string) bool {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(bundle))
	conn, err := tls.Dial("tcp", "localhost:"+strconv.Itoa(w.endpoints().AMQP),
		&tls.Config{RootCAs: pool})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (w *world) rotate(step string) {
	w.t.Helper()
	if err := RotateAuthority(w.t.Context(), w.cfg, step); err != nil {
		w.t.Fatalf("%s: %v", step, err)
	}
}

// uses are the uses of the certificates that the process lists.
func (w *world) uses() string {
	w.t.Helper()
	list, err := Certificates(w.t.Context(), w.cfg.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	var uses []string
	for _, c := range list {
		if c.NotAfter.IsZero() || len(c.SHA256) != 64 {
			w.t.Errorf("listed %+v", c)
		}
		uses = append(uses, c.Use)
	}
	return strings.Join(uses, ", ")
}

// TestRotateAuthority goes over to another authority while a connection is open: whoever
// has the ca.pem of begin is never refused, and whoever has the new one alone gets in from
// the switch on, also after restarts between the steps.
func TestRotateAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.file(fileCA)
	conn, ch := w.dial()
	passed, stop := confirming(t, ch)
	w.rotate(AuthorityBegin)
	both := w.file(fileCA)
	next := strings.Replace(both, first, "", 1)
	if len(both) <= len(first) || !w.trusts(first) || !w.trusts(both) || w.trusts(next) {
		t.Error("after begin not the first one signs")
	}
	if got := w.uses(); got != "server, authority, next authority" {
		t.Errorf("after begin: %s", got)
	}
	w.rotate(AuthoritySwitch)
	if w.trusts(first) || !w.trusts(both) || !w.trusts(next) || !w.trusts(w.file(fileCA)) {
		t.Error("after the switch not the next one signs")
	}
	if got := w.uses(); got != "server, authority, former authority" {
		t.Errorf("after the switch: %s", got)
	}
	<-passed
	stop()
	if conn.IsClosed() {
		t.Error("the connection ended")
	}
	w.stop()
	w.start()
	if !w.trusts(next) || !strings.Contains(w.file(fileCA), first) {
		t.Error("after a restart the first one signs, or is gone")
	}
	w.rotate(AuthorityEnd)
	if w.file(fileCA) != next || !w.trusts(both) {
		t.Error("after the end ca.pem is not the new one")
	}
	for name := range map[string]bool{"CreateAuthority": true, "SwitchAuthority": true,
		"EndAuthority": true} {
		if len(w.keyEvents(name)) != 1 {
			t.Errorf("%s is not on record", name)
		}
	}
}

// TestRotateAuthorityStopped takes the steps in a directory that nothing serves; ca.pem is
// right before the next start.
func TestRotateAuthorityStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first := w.file(fileCA)
	w.stop()
	w.rotate(AuthorityBegin)
	both := w.file(fileCA)
	w.rotate(AuthorityEnd) // it is taken back
	if w.file(fileCA) != first {
		t.Error("the next one was not taken back")
	}
	w.rotate(AuthorityBegin)
	w.rotate(AuthoritySwitch)
	next := strings.Replace(w.file(fileCA), first, "", 1)
	w.start()
	if w.trusts(first) || w.trusts(both) || !w.trusts(next) {
		t.Error("the next one does not sign")
	}
	if r, err := Check(t.Context(), Config{Data: w.cfg.Data}); err == nil {
		t.Errorf("checked while it serves: %+v", r)
	}
	w.stop()
	if r, err := Check(t.Context(), Config{Data: w.cfg.Data}); err != nil || len(r.Damage) > 0 {
		t.Errorf("check: %+v, %v", r, err)
	}
}

// TestRotateAuthorityRefused changes nothing.
func TestRotateAuthorityRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ca := w.file(fileCA)
	for _, step := range []string{AuthoritySwitch, AuthorityEnd, "dance"} {
		err := RotateAuthority(t.Context(), w.cfg, step)
		if fault.KindOf(err) != fault.Invalid || w.file(fileCA) != ca {
			t.Errorf("%s: %v", step, err)
		}
	}
	w.rotate(AuthorityBegin)
	ca = w.file(fileCA)
	err := RotateAuthority(t.Context(), w.cfg, AuthorityBegin)
	if fault.KindOf(err) != fault.Invalid || w.file(fileCA) != ca {
		t.Errorf("twice: %v", err)
	}
	own := newWorld(t, func(c *Config) { ownFiles(t, c) })
	err = RotateAuthority(t.Context(), own.cfg, AuthorityBegin)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("with files: %v", err)
	}
}

// TestOldAuthorityRow reads what older programs wrote.
func TestOldAuthorityRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	err := w.n.db.Update(t.Context(), func(_ context.Context, tx *control.Tx) error {
		v, _, err := tx.Get(control.TableNode, []byte("ca"))
		if err != nil {
			return err
		}
		var old struct {
			Certificate []byte `json:"certificate"`
			Key         []byte `json:"key"`
		}
		if err := json.Unmarshal(v, &old); err != nil {
			return err
		}
		if v, err = json.Marshal(old); err == nil {
			tx.Put(control.TableNode, []byte("ca"), v)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ca := w.file(fileCA)
	w.stop()
	w.start()
	if w.file(fileCA) != ca || !w.trusts(ca) {
		t.Error("another authority")
	}
}

// TestRenewCertificates gives handshakes a new certificate, and keeps open connections.
func TestRenewCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn, ch := w.dial()
	passed, stop := confirming(t, ch)
	before, err := Certificates(t.Context(), w.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	after, err := RenewCertificates(t.Context(), w.cfg.Data)
	if err != nil || after[0].SHA256 == before[0].SHA256 || after[1].SHA256 != before[1].SHA256 {
		t.Errorf("%+v, then %+v, %v", before, after, err)
	}
	<-passed
	stop()
	if conn.IsClosed() || !w.trusts(w.file(fileCA)) {
		t.Error("a connection ended, or none begins")
	}
	w.stop()
	_, err = RenewCertificates(t.Context(), w.cfg.Data)
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("stopped: %v", err)
	}
}

// TestUnusableFiles tells once of files that cannot be used, and when they can again.
func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { ownFiles(t, c) })
	shown := func(want string) {
		t.Helper()
		if _, text := w.scrape("/metrics"); !strings.Contains(text,
			`coffer_tls_files_unusable{setting="--tls-cert"} `+want) {
			t.Errorf("want %s: %s", want, text)
		}
	}
	w.n.Reload()
	shown("0")
	good, err := os.ReadFile(w.cfg.TLSKey[0])
	if err != nil {
		t.Fatal(err)
	}
	certify(t, &w.cfg)
	if err := os.WriteFile(w.cfg.TLSKey[0], good, 0o600); err != nil { // the old one's
		t.Fatal(err)
	}
	for range 3 {
		w.n.Reload()
	}
	shown("1")
	if n := strings.Count(w.log.String(), "could not be reloaded"); n != 1 {
		t.Errorf("told %d times", n)
	}
	_, err = RenewCertificates(t.Context(), w.cfg.Data)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "the old ones stay") {
		t.Errorf("asked for: %v", err)
	}
	certify(t, &w.cfg)
	w.n.Reload()
	shown("0")
	if got := w.uses(); got != "server" {
		t.Errorf("listed %s", got)
	}
}

// TestClientAuthorityReload: from a reload on who signs now is believed, and who did is not.
func TestClientAuthorityReload(t *testing.T) {
	t.Parallel()
	former, next := newSigner(t), newSigner(t)
	file := former.file()
	w := newWorld(t, func(c *Config) { c.ClientCA = []string{file} })
	// What was begun before is no way in.
	sessions := map[*signer]tls.ClientSessionCache{
		former: tls.NewLRUClientSessionCache(8), next: tls.NewLRUClientSessionCache(8),
	}
	enters := func(s *signer) bool {
		conn, err := tls.Dial("tcp", "localhost:"+strconv.Itoa(w.endpoints().AMQP), &tls.Config{
			RootCAs: w.roots(), Certificates: []tls.Certificate{s.client()},
			ClientSessionCache: sessions[s],
		})
		if err != nil {
			return false
		}
		defer conn.Close()
		return hello(conn) != ""
	}
	if !enters(former) || enters(next) {
		t.Error("before")
	}
	text, err := os.ReadFile(next.file())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.n.Reload()
	if enters(former) || !enters(next) {
		t.Error("after")
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.n.Reload()
	if !enters(next) {
		t.Error("with a broken file")
	}
	if got := w.uses(); got != "server, client authority, authority" {
		t.Errorf("listed %s", got)
	}
}

// TestEarlyAuthority was made by a clock that was set back since: the log and the doctor
// tell, and another one is made.
func TestEarlyAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	end := w.early()
	w.stop()
	w.start()
	if !strings.Contains(w.log.String(), "is not valid yet") {
		t.Error("not logged")
	}
	if got := w.coffers()["coffer_tls_certificate_end_timestamp_seconds"]; got == nil ||
		got.values[`coffer_tls_certificate_end_timestamp_seconds{certificate="authority"}`] !=
			fmt.Sprint(float64(end.Unix())) {
		t.Errorf("shown %+v, want %v", got, end)
	}
	r := w.doctor(time.Now)
	if text := seen(r, "certificate.dates"); !strings.Contains(text, "is valid from") {
		t.Errorf("told %+v", r)
	}
	w.rotate(AuthorityBegin)
	w.rotate(AuthoritySwitch)
	if !w.trusts(w.file(fileCA)) {
		t.Error("refused")
	}
}

// early gives the directory an authority that begins tomorrow, and tells its end.
func (w *world) early() (end time.Time) {
	w.t.Helper()
	ca, err := tlsx.NewCA(time.Now().Add(day))
	if err != nil {
		w.t.Fatal(err)
	}
	pair, err := newPair(ca)
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.n.db.Update(w.t.Context(), func(_ context.Context, tx *control.Tx) error {
		return (&caRow{caPair: pair}).put(tx)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ca.NotAfter()
}
