package node

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"coffer/internal/control"
	"coffer/internal/telemetry"
	"coffer/internal/tlsx"
)

// reloadEvery is how often the user's certificate files are looked at.
const reloadEvery = 15 * time.Second

// The settings that name files of certificates.
const (
	settingCert     = "--tls-cert"
	settingClientCA = "--client-ca"
)

// openCertificates loads or makes the internal CA and its certificates, or
// loads the user's.
func (n *Node) openCertificates(ctx context.Context) error {
	var ca *tlsx.CA
	var bundle []byte
	err := n.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		row, err := readAuthority(tx, time.Now())
		defer row.wipe()
		if err == nil {
			bundle = row.bundle()
			ca, err = tlsx.LoadCA(row.Certificate, row.Key)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("internal certificate authority: %w", err)
	}
	if len(n.cfg.TLSCert) > 0 {
		err = n.ownCertificates()
	} else {
		err = n.internalCertificates(ca, bundle)
	}
	if err != nil {
		return err
	}
	n.observeCertificates()
	if n.files != nil || n.clientCA != nil {
		n.watchFiles()
	}
	return nil
}

func (n *Node) internalCertificates(ca *tlsx.CA, bundle []byte) error {
	if err := n.writeBundle(bundle); err != nil {
		return err
	}
	now := time.Now()
	switch c := ca.Certificate(); {
	case now.Before(c.NotBefore):
		n.log.Error("the certificate authority is not valid yet, so that clients refuse it: look "+
			"at the clock, or make another one with `coffer certificates rotate-ca`",
			"from", c.NotBefore)
	case c.NotAfter.Sub(now) < soonCA:
		n.log.Warn("the certificate authority ends; go over to another one in time with "+
			"`coffer certificates rotate-ca`", "end", c.NotAfter)
	}
	var err error
	n.leaves, err = tlsx.NewLeaves(ca, tlsx.LeavesConfig{
		Hostname: n.cfg.Hostname, Addresses: n.addresses(),
	})
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	n.certs = n.leaves.Certificate
	return nil
}

// ownCertificates uses the user's files.
func (n *Node) ownCertificates() error {
	var pairs []tlsx.Pair
	for i, cert := range n.cfg.TLSCert {
		pairs = append(pairs, tlsx.Pair{Cert: cert, Key: n.cfg.TLSKey[i]})
	}
	var err error
	if n.files, err = tlsx.LoadFiles(pairs...); err != nil {
		return fmt.Errorf("--tls-cert: %w", err)
	}
	n.certs = n.files.Certificate
	return n.writeChain()
}

// writeChain writes ca.pem: what clients are to trust is the files' own chain.
func (n *Node) writeChain() error {
	var chain []byte
	for _, cert := range n.cfg.TLSCert {
		pem, err := os.ReadFile(cert)
		if err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
		chain = append(chain, pem...)
	}
	return n.writeBundle(chain)
}

// watchFiles looks at the user's files until the process stops.
func (n *Node) watchFiles() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(reloadEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				n.Reload()
			}
		}
	}()
	n.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// Reload takes changed files of certificates into use, of the server and of those who sign
// clients'. Files that cannot be used leave the old ones serving. Connections that are open
// are not touched.
func (n *Node) Reload() {
	n.certTurn.Lock()
	defer n.certTurn.Unlock()
	if n.files != nil {
		changed, err := n.files.Reload()
		if err == nil && changed {
			err = n.writeChain()
		}
		n.reloaded(settingCert, changed, err)
	}
	if n.clientCA != nil {
		changed, err := n.clientCA.reload()
		n.reloaded(settingClientCA, changed, err)
	}
}

// reloaded tells what came of files; what stays as it is is told once.
func (n *Node) reloaded(setting string, changed bool, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	told := n.unusable[setting] == text
	n.unusable[setting] = text
	n.counts.unusable.With(setting).Set(0)
	switch {
	case err != nil:
		n.counts.unusable.With(setting).Set(1)
		if !told {
			n.log.Error("certificates could not be reloaded; the old ones stay",
				"setting", setting, "error", err)
		}
	case changed || !told:
		n.log.Info("certificates were reloaded", "setting", setting)
	}
}

// served gives the certificates that handshakes get.
func (n *Node) served() []*x509.Certificate {
	if n.files != nil {
		return n.files.Current()
	}
	return n.leaves.Current()
}

// observeCertificates shows when certificates end, the first of each use.
func (n *Node) observeCertificates() {
	telemetry.Sample(n.metrics, func() map[string]time.Time {
		ends := map[string]time.Time{}
		for use, list := range n.shownCertificates() {
			for _, c := range list {
				if end, ok := ends[use]; !ok || c.NotAfter.Before(end) {
					ends[use] = c.NotAfter
				}
			}
		}
		return ends
	}, telemetry.Sampled[map[string]time.Time]{
		Name:   "coffer_tls_certificate_end_timestamp_seconds",
		Help:   "When the first certificate of the server, or of those who sign, ends.",
		Labels: []string{"certificate"},
		Each: func(ends map[string]time.Time, show func(v float64, labels ...string)) {
			for use, end := range ends {
				show(float64(end.Unix()), use)
			}
		},
	})
}

// shownCertificates gives certificates by their use, as labels name it.
func (n *Node) shownCertificates() map[string][]*x509.Certificate {
	list := map[string][]*x509.Certificate{"server": n.served()}
	if n.leaves != nil {
		list["authority"] = []*x509.Certificate{n.leaves.Authority().Certificate()}
	}
	if n.clientCA != nil {
		list["client authority"] = n.clientCA.certificates()
	}
	return list
}
