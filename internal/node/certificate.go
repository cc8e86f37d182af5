package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/tlsx"
)

// reloadEvery is how often the user's certificate files are looked at.
const reloadEvery = time.Minute

type caRow struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

// openCertificates loads or makes the internal CA and its certificates, or
// loads the user's.
func (n *Node) openCertificates(ctx context.Context) error {
	var ca *tlsx.CA
	err := n.db.Update(ctx, func(_ context.Context, tx *control.Tx) (err error) {
		id := []byte("ca")
		v, ok, err := tx.Get(control.TableNode, id)
		if err != nil {
			return err
		}
		var row caRow
		if ok {
			if err := json.Unmarshal(v, &row); err != nil {
				return err
			}
			ca, err = tlsx.LoadCA(row.Certificate, row.Key)
			return err
		}
		if ca, err = tlsx.NewCA(tx.Time()); err != nil {
			return err
		}
		row.Certificate = ca.PEM()
		if row.Key, err = ca.PrivateKey(); err != nil {
			return err
		}
		defer seal.Secret(row.Key).Wipe()
		if v, err = json.Marshal(row); err == nil {
			tx.Put(control.TableNode, id, v)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("internal certificate authority: %w", err)
	}
	if len(n.cfg.TLSCert) > 0 {
		return n.ownCertificates()
	}
	if err := writeFile(filepath.Join(n.cfg.Data, fileCA), ca.PEM(), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", fileCA, err)
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{
		Hostname: n.cfg.Hostname, Addresses: n.addresses(),
	})
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	n.certs = leaves.Certificate
	return nil
}

// ownCertificates uses the user's files, and what they hold later.
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
	if err := n.writeChain(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.reloadCertificates(ctx)
	}()
	n.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
	return nil
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
	return writeFile(filepath.Join(n.cfg.Data, fileCA), chain, 0o644)
}

// reloadCertificates looks at the files until ctx ends.
func (n *Node) reloadCertificates(ctx context.Context) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.reload()
		}
	}
}

// reload takes changed certificate files into use; files that cannot be used
// leave the old ones serving.
func (n *Node) reload() {
	changed, err := n.files.Reload()
	if err == nil && changed {
		err = n.writeChain()
	}
	if err != nil {
		n.log.Error("certificates could not be reloaded; the old ones stay", "error", err)
		return
	}
	if changed {
		n.log.Info("certificates were reloaded", "until", n.files.NotAfter())
	}
}
