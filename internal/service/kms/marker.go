package kms

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"

	"coffer/internal/control"
)

// Sizes of a marker: version, MAC, then the last id given out.
const (
	markerVersion = 1
	markerMAC     = 16
	maxMarkerID   = 512 // a tag key of 128 characters
)

// page is one answer of a listing. Its marker is the last id given out under a
// MAC with all that says which list it is, so that nobody can begin elsewhere
// or carry it to another list.
type page struct {
	tx    *control.Tx
	list  []string // names the listing and its filters
	limit int
	after []byte // the last id of the page before
	last  []byte
	count int
	more  bool
}

// newPage reads a request's marker and limit. AWS's bounds differ by listing;
// a larger limit gives the largest page.
func newPage(tx *control.Tx, marker string, limit *int32, usual, most int, list ...string) (
	*page, error,
) {
	p := &page{tx: tx, list: list, limit: usual}
	if limit != nil {
		p.limit = min(int(*limit), most)
	}
	if marker == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(marker)
	if err != nil || len(b) < 1+markerMAC || len(b) > 1+markerMAC+maxMarkerID ||
		b[0] != markerVersion {
		return nil, badMarker()
	}
	p.after = b[1+markerMAC:]
	if !hmac.Equal(b[1:1+markerMAC], p.mac(p.after)) {
		return nil, badMarker()
	}
	return p, nil
}

func (p *page) mac(id []byte) []byte {
	return p.tx.MAC("kms/marker", append([]string{string(id)}, p.list...)...)
}

// walk calls fn with the entries of a table under prefix that belong on this
// page, in the order of their ids. fn says whether it took the entry.
func (p *page) walk(t control.Table, prefix []byte, fn func(id, value []byte) (bool, error)) error {
	lower := append([]byte{}, prefix...)
	if p.after != nil {
		lower = append(append(lower, p.after...), 0)
	}
	return p.tx.Range(t, lower, nil, func(id, value []byte) error {
		id, within := bytes.CutPrefix(id, prefix)
		if !within {
			return control.ErrStop
		}
		if p.count == p.limit {
			p.more = true
			return control.ErrStop
		}
		took, err := fn(id, value)
		if took {
			p.count++
			p.last = id
		}
		return err
	})
}

// marker gives NextMarker and Truncated.
func (p *page) marker() (next string, truncated *bool) {
	if !p.more {
		return "", new(false)
	}
	b := append([]byte{markerVersion}, p.mac(p.last)...)
	return base64.RawURLEncoding.EncodeToString(append(b, p.last...)), new(true)
}
