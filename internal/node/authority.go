package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/tlsx"
)

// Steps from one authority to another. Between them clients get the other one's
// certificate from ca.pem, in whatever time that takes.
const (
	AuthorityBegin  = "begin"  // make the next, which clients are to trust, too
	AuthoritySwitch = "switch" // let the next one sign; the former one stays in ca.pem
	AuthorityEnd    = "end"    // leave one: drop the former, or the next that does not sign yet
)

// caRow is the row "ca": the authority that signs, and who clients are to trust beside.
type caRow struct {
	caPair
	Next   *caPair  `json:"next,omitempty"`
	Former [][]byte `json:"former,omitempty"` // certificates, the newest first
}

// caPair is an authority, as [tlsx.LoadCA] reads it.
type caPair struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

func newPair(ca *tlsx.CA) (p caPair, err error) {
	p.Certificate = ca.PEM()
	p.Key, err = ca.PrivateKey()
	return p, err
}

func (r *caRow) wipe() {
	seal.Secret(r.Key).Wipe()
	if r.Next != nil {
		seal.Secret(r.Next.Key).Wipe()
	}
}

// bundle is ca.pem.
func (r *caRow) bundle() []byte {
	list := [][]byte{r.Certificate}
	if r.Next != nil {
		list = append(list, r.Next.Certificate)
	}
	return bytes.Join(append(list, r.Former...), nil)
}

// readAuthority reads the row, or makes it with a first authority.
func readAuthority(tx *control.Tx, now time.Time) (row caRow, err error) {
	v, ok, err := tx.Get(control.TableNode, []byte("ca"))
	if err != nil {
		return row, err
	}
	if ok {
		defer clear(v)
		return row, json.Unmarshal(v, &row)
	}
	ca, err := tlsx.NewCA(now)
	if err == nil {
		row.caPair, err = newPair(ca)
	}
	if err != nil {
		return row, err
	}
	return row, row.put(tx)
}

func (r *caRow) put(tx *control.Tx) error {
	v, err := json.Marshal(r)
	if err == nil {
		tx.Put(control.TableNode, []byte("ca"), v)
	}
	return err
}

// step goes from one authority towards another.
func (r *caRow) step(name string, now time.Time) error {
	switch {
	case name == AuthorityBegin && r.Next != nil:
		return fault.New(fault.Invalid, "the next authority was made before: switch to it, or end "+
			"this; nothing was changed")
	case name == AuthorityBegin:
		ca, err := tlsx.NewCA(now)
		if err != nil {
			return err
		}
		next, err := newPair(ca)
		r.Next = &next
		return err
	case name == AuthoritySwitch && r.Next == nil:
		return fault.New(fault.Invalid, "there is no next authority: begin first, and give "+
			"clients the new ca.pem; nothing was changed")
	case name == AuthoritySwitch:
		r.Former = slices.Insert(r.Former, 0, r.Certificate)
		r.caPair, r.Next = *r.Next, nil
		return nil
	case name == AuthorityEnd && r.Next == nil && len(r.Former) == 0:
		return fault.New(fault.Invalid, "there is one authority only; nothing was changed")
	case name == AuthorityEnd:
		r.Next, r.Former = nil, nil
		return nil
	}
	return fault.New(fault.Invalid, "%q is neither %s, %s nor %s", name, AuthorityBegin,
		AuthoritySwitch, AuthorityEnd)
}

// events are the names of the steps on the trail.
var authorityEvents = map[string]string{
	AuthorityBegin: "CreateAuthority", AuthoritySwitch: "SwitchAuthority",
	AuthorityEnd: "EndAuthority",
}

// rotateAuthority takes a step, and puts it on the trail. It is called with certTurn held.
func (n *Node) rotateAuthority(ctx context.Context, step string) (ca *tlsx.CA, err error) {
	if len(n.cfg.TLSCert) > 0 {
		return nil, fault.New(fault.Invalid, "the certificates are your own (--tls-cert), and so "+
			"is their authority; nothing was changed")
	}
	var bundle []byte
	err = n.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		now := time.Now() // not the state's, which may be ahead of a clock that was set back
		row, err := readAuthority(tx, now)
		defer row.wipe()
		if err == nil {
			err = row.step(step, now)
		}
		if err != nil {
			return err
		}
		if ca, err = tlsx.LoadCA(row.Certificate, row.Key); err != nil {
			return err
		}
		if err := row.put(tx); err != nil {
			return err
		}
		bundle = row.bundle()
		return n.keyEvent(authorityEvents[step], map[string]any{"signs": ca.String()})(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	n.log.Warn("the certificate authority was changed", "step", step, "signs", ca)
	return ca, n.writeBundle(bundle)
}

func (n *Node) writeBundle(bundle []byte) error {
	if err := writeFile(filepath.Join(n.cfg.Data, fileCA), bundle, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", fileCA, err)
	}
	return nil
}
