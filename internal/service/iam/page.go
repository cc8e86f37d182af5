package iam

import (
	"crypto/hmac"
	"encoding/base64"

	"coffer/internal/control"
)

// Sizes of a marker: version, MAC, then the order of the last entry given out.
const (
	markerVersion = 1
	markerMAC     = 16
	defaultItems  = 100
)

// paging is what a listing's request says of its page.
type paging struct {
	marker string
	max    *int32
	list   []string // names the listing, its owner and its filters
}

// page cuts one page out of a list that is sorted by order. Its marker is the
// order of the last entry given out under a MAC with all that says which list it
// is, so that nobody can begin elsewhere or carry it to another list, and nothing
// is left out or repeated that was there all the time.
func page[T any](tx *control.Tx, p paging, list []T, order func(T) string) (
	part []T, truncated *bool, next string, err error,
) {
	if p.marker != "" {
		after, ok := openMarker(tx, p)
		if !ok {
			return nil, nil, "", invalid("Invalid Marker.")
		}
		for len(list) > 0 && order(list[0]) <= after {
			list = list[1:]
		}
	}
	limit := defaultItems
	if p.max != nil {
		limit = int(*p.max)
	}
	if len(list) <= limit {
		return append([]T{}, list...), new(false), "", nil
	}
	last := order(list[limit-1])
	b := append([]byte{markerVersion}, p.mac(tx, last)...)
	return list[:limit], new(true), base64.RawURLEncoding.EncodeToString(append(b, last...)), nil
}

func openMarker(tx *control.Tx, p paging) (after string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(p.marker)
	if err != nil || len(b) < 1+markerMAC || b[0] != markerVersion {
		return "", false
	}
	after = string(b[1+markerMAC:])
	return after, hmac.Equal(b[1:1+markerMAC], p.mac(tx, after))
}

func (p *paging) mac(tx *control.Tx, last string) []byte {
	return tx.MAC("iam/marker", append([]string{last}, p.list...)...)
}

// convert gives the answer's form of a page.
func convert[T, U any](list []T, form func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, form(v))
	}
	return out
}
