package cloudtrail

import (
	"crypto/hmac"
	"encoding/base64"
	"strconv"
	"time"

	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/seal"
)

// pages makes and opens the tokens of one query. A token is a digest over query
// and cursor, then the cursor: only what was given for a query comes back, and
// only for that one.
type pages struct {
	mac   func(label string, parts ...string) []byte
	query []string
}

// binding is everything that a query must not change between its pages. The size
// of a page may change.
func (s *Service) binding(call *gateway.Call, in *api.LookupEventsInput) *pages {
	query := []string{"LookupEvents", call.Account, call.Region, in.EventCategory,
		instant(in.StartTime), instant(in.EndTime)}
	for _, a := range in.LookupAttributes {
		query = append(query, a.AttributeKey, a.AttributeValue)
	}
	return &pages{mac: s.db.MAC, query: query}
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}

func (p *pages) seal(cursor []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(p.digest(cursor), cursor...))
}

func (p *pages) open(token string) (cursor []byte, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= seal.MACSize {
		return nil, false
	}
	cursor = b[seal.MACSize:]
	return cursor, hmac.Equal(b[:seal.MACSize], p.digest(cursor))
}

func (p *pages) digest(cursor []byte) []byte {
	return p.mac("next-token", append([]string{string(cursor)}, p.query...)...)
}
