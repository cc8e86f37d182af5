package node

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/tlsx"
)

// CertificateInfo is a certificate that the process shows, or trusts.
type CertificateInfo struct {
	// Use is server, authority, next authority, former authority or client authority.
	Use       string    `json:"use"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	SHA256    string    `json:"sha256"` // of the certificate, in hexadecimal digits
}

func describeCertificate(use string, c *x509.Certificate) CertificateInfo {
	info := CertificateInfo{
		Use: use, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: c.DNSNames,
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
	for _, ip := range c.IPAddresses {
		info.Names = append(info.Names, ip.String())
	}
	sum := sha256.Sum256(c.Raw)
	info.SHA256 = hex.EncodeToString(sum[:])
	return info
}

// Certificates asks the process that serves a data directory for its certificates.
func Certificates(ctx context.Context, data string) (list []CertificateInfo, err error) {
	return list, askOperator(ctx, data, "certificates", struct{}{}, &list)
}

// RenewCertificates has the process that serves a data directory make new certificates, or
// read its files again, and lists what it has then. Connections that are open stay.
func RenewCertificates(ctx context.Context, data string) (list []CertificateInfo, err error) {
	return list, askOperator(ctx, data, "renew", struct{}{}, &list)
}

// authorityStep travels on the operator's socket.
type authorityStep struct {
	Step string `json:"step"`
}

// RotateAuthority takes a step from one authority to another: AuthorityBegin,
// AuthoritySwitch or AuthorityEnd; by way of the process that serves the directory, else
// alone, which takes the root key.
func RotateAuthority(ctx context.Context, cfg Config, step string) error {
	var list []CertificateInfo
	if err := cfg.fill(); err != nil {
		return err
	}
	err := askOperator(ctx, cfg.Data, "authority", authorityStep{step}, &list)
	if fault.KindOf(err) != fault.Unavailable {
		return err
	}
	return alone(ctx, &cfg, func(n *Node) error {
		_, err := n.rotateAuthority(ctx, step)
		return err
	})
}

// changeAuthority is a step while the process serves.
func (n *Node) changeAuthority(ctx context.Context, in authorityStep) (any, error) {
	n.certTurn.Lock()
	defer n.certTurn.Unlock()
	ctx = context.WithoutCancel(ctx)
	ca, err := n.rotateAuthority(ctx, in.Step)
	if err == nil && in.Step == AuthoritySwitch {
		err = n.leaves.Use(ca)
	}
	if err != nil {
		return nil, err
	}
	return n.certificates(ctx, struct{}{})
}

func (n *Node) renewCertificates(ctx context.Context, in struct{}) (any, error) {
	if n.leaves != nil {
		n.certTurn.Lock()
		err := n.leaves.Renew()
		n.certTurn.Unlock()
		if err != nil {
			return nil, err
		}
		n.log.Info("certificates were renewed")
	}
	n.Reload()
	n.certTurn.Lock()
	defer n.certTurn.Unlock()
	for setting, why := range n.unusable {
		if why != "" {
			return nil, fault.New(fault.Invalid, "%s: %s; the old ones stay", setting, why)
		}
	}
	return n.certificates(ctx, in)
}

// certificates lists what the process shows and trusts.
func (n *Node) certificates(ctx context.Context, _ struct{}) (any, error) {
	list := []CertificateInfo{}
	for _, c := range n.served() {
		list = append(list, describeCertificate("server", c))
	}
	add := func(use string, text []byte) error {
		certs, err := tlsx.ParseCertificates(text)
		for _, c := range certs {
			list = append(list, describeCertificate(use, c))
		}
		return err
	}
	if n.clientCA != nil {
		for _, c := range n.clientCA.certificates() {
			list = append(list, describeCertificate("client authority", c))
		}
	}
	if n.leaves == nil {
		return list, nil
	}
	return list, n.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		row, err := readAuthority(tx, time.Now())
		defer row.wipe()
		if err == nil {
			err = add("authority", row.Certificate)
		}
		if err == nil && row.Next != nil {
			err = add("next authority", row.Next.Certificate)
		}
		for _, text := range row.Former {
			if err == nil {
				err = add("former authority", text)
			}
		}
		return err
	})
}
