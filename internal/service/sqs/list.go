package sqs

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"slices"
	"strings"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

// maxList is the queues of an answer, at most and when the caller names no number.
const maxList = 1000

// ListQueues lists the queues of the caller's account, by name.
func (s *Service) ListQueues(ctx context.Context, in *api.ListQueuesInput) (
	*api.ListQueuesOutput, error,
) {
	call := gateway.From(ctx)
	realm := realmName{call.Account, call.Region}
	prefix := wire.Or(in.QueueNamePrefix, "")
	p := &page{s: s, list: []string{"queues", call.Account, call.Region, prefix}}
	if err := p.read(in.MaxResults, in.NextToken); err != nil {
		return nil, err
	}
	var names []string
	s.mu.RLock()
	for a := range s.queues {
		if a.realmName == realm && strings.HasPrefix(a.name, prefix) {
			names = append(names, a.name)
		}
	}
	s.mu.RUnlock()
	names, next := p.cut(names)
	out := &api.ListQueuesOutput{NextToken: next}
	for _, name := range names {
		out.QueueUrls = append(out.QueueUrls, address{realm, name}.url(call))
	}
	return out, nil
}

// page is a part of a list of names. A token is the last name of the part before, under a
// digest that only we can make; it is good for its own list only.
type page struct {
	s     *Service
	list  []string // which list it is
	size  int
	after string
	paged bool // the caller counts on more pages
}

func (p *page) read(size *int32, token *string) error {
	p.size = maxList
	if size != nil {
		if *size < 1 || *size > maxList {
			return invalid("Value for parameter MaxResults is invalid. Reason: MaxResults must " +
				"be an integer between 1 and 1000.")
		}
		p.size, p.paged = int(*size), true
	}
	if wire.Or(token, "") == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	if err != nil || len(b) <= macSize {
		return badToken()
	}
	p.after = string(b[macSize:])
	if !hmac.Equal(b[:macSize], p.mac(p.after)) {
		return badToken()
	}
	return nil
}

func (p *page) mac(name string) []byte {
	return p.s.db.MAC("sqs/list-token", append([]string{name}, p.list...)...)
}

// cut sorts names and gives those of the page, and the token of the next one. Who names no
// size gets none, as at AWS.
func (p *page) cut(names []string) (shown []string, next string) {
	slices.Sort(names)
	from, found := slices.BinarySearch(names, p.after)
	if found {
		from++
	}
	names = names[from:]
	if len(names) <= p.size {
		return names, ""
	}
	names = names[:p.size]
	if p.paged {
		last := names[len(names)-1]
		next = base64.RawURLEncoding.EncodeToString(append(p.mac(last), last...))
	}
	return names, next
}

func badToken() error { return invalid("Invalid or expired next token.") }
