package sqs

import (
	"net/url"
	"strings"

	"coffer/internal/arn"
	"coffer/internal/aws/gateway"
)

const (
	// maxName bounds a queue's name, the suffix of a FIFO queue included.
	maxName    = 80
	fifoSuffix = ".fifo"
)

// realmName is an account in a Region: names of queues are unique there.
type realmName struct{ account, region string }

// address is what a queue is found by.
type address struct {
	realmName
	name string
}

func (a address) arn() string { return arn.New("sqs", a.region, a.account, a.name).String() }

// url is where clients reach the queue: through the name by which they reached this
// process. The Region is not in it: requests are signed for one.
func (a address) url(call *gateway.Call) string {
	host := call.Host
	if host == "" {
		host = "sqs." + a.region + ".amazonaws.com"
	}
	return "https://" + host + "/" + a.account + "/" + a.name
}

// fifo tells by the name whether the queue keeps groups in order.
func (a address) fifo() bool { return strings.HasSuffix(a.name, fifoSuffix) }

// addressOf reads a queue's URL: the last two parts of its path. Any host will do,
// because the one who was asked is this one. A name alone is a queue of the caller's.
func addressOf(call *gateway.Call, text string) (address, error) {
	if goodName(text) {
		return address{realmName{call.Account, call.Region}, text}, nil
	}
	account, name, ok := lastParts(text)
	if !ok { // with a slash at its end, a query or escapes
		u, err := url.Parse(text)
		if err != nil {
			return address{}, badAddress(call, text)
		}
		if account, name, ok = lastParts(strings.TrimRight(u.Path, "/")); !ok {
			return address{}, badAddress(call, text)
		}
	}
	return address{realmName{account, call.Region}, name}, nil
}

// lastParts gives the account and the queue at the end of a URL or path.
func lastParts(text string) (account, name string, ok bool) {
	rest, name := cutLast(text)
	_, account = cutLast(rest)
	return account, name, goodAccount(account) && goodName(name)
}

func cutLast(text string) (before, after string) {
	i := strings.LastIndexByte(text, '/')
	return text[:max(i, 0)], text[i+1:]
}

func goodAccount(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return len(text) == 12
}

func goodName(name string) bool {
	return len(name) <= maxName && alphanumeric(strings.TrimSuffix(name, fifoSuffix))
}

// alphanumeric takes hyphens and underscores, too.
func alphanumeric(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}
