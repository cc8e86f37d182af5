package mq

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"

	"coffer/internal/aws/gateway"
)

const (
	pageSize  = 20 // of lists when the caller names none
	leastPage = 5  // that answers tell
	macSize   = 16
)

// page is where a list goes on. A token is a position and a digest that only we can make;
// it is good for its own list only.
type page struct {
	s        *Service
	call     *gateway.Call
	list     string
	size     int
	position []byte // nil = from the beginning
}

func (s *Service) page(
	call *gateway.Call, list string, size *int32, token *string,
) (*page, error) {
	p := &page{s: s, call: call, list: list, size: pageSize}
	if size != nil {
		p.size = int(*size)
	}
	if token == nil || *token == "" { // Ansible begins with an empty one
		return p, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	if err != nil || len(b) <= macSize {
		return nil, bad("nextToken", "The nextToken is not valid.")
	}
	position, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if !hmac.Equal(mac, p.mac(position)) {
		return nil, bad("nextToken", "The nextToken is not valid.")
	}
	p.position = position
	return p, nil
}

func (p *page) mac(position []byte) []byte {
	return p.s.db.MAC("mq/list-token", p.list, p.call.Account, p.call.Region, string(position))
}

// token names a position to go on from.
func (p *page) token(position []byte) string {
	b := append([]byte{}, position...)
	return base64.RawURLEncoding.EncodeToString(append(b, p.mac(position)...))
}

// shown is the page's size as answers tell it, whose model has a least one.
func (p *page) shown() *int32 { return new(int32(max(p.size, leastPage))) }

// cut gives the page of a whole list, and the token of the next one.
func cut[T any](p *page, list []T) (shown []T, next string) {
	from := 0
	if p.position != nil {
		from = int(min(binary.BigEndian.Uint32(p.position), uint32(len(list))))
	}
	to := min(from+p.size, len(list))
	if to < len(list) {
		next = p.token(binary.BigEndian.AppendUint32(nil, uint32(to)))
	}
	if shown = list[from:to]; shown == nil {
		shown = []T{}
	}
	return shown, next
}
