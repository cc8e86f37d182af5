package sqs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// What the model does not have, with SQS's own texts.

func invalid(format string, args ...any) error {
	return &wire.Error{
		Code: "InvalidParameterValueException", Query: "InvalidParameterValue", Status: 400,
		Message: fmt.Sprintf(format, args...),
	}
}

// badValue is a parameter out of its range.
func badValue(value any, parameter, reason string) error {
	return invalid("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

// wrongType is why a queue does not take a parameter of queues of the other type.
const wrongType = "The request include parameter that is not valid for this queue type."

// badAddress is a queue's URL that is none. A path is that of a query which names its
// queue nowhere else.
func badAddress(call *gateway.Call, url string) error {
	if strings.HasPrefix(url, "/") {
		url = "https://" + call.Host + url
	}
	return &api.InvalidAddress{
		Message: "The address " + url + " is not valid for this endpoint.",
	}
}

// absent is a queue that is not there, with another text for each protocol and the same
// hint behind it.
type absent struct {
	*api.QueueDoesNotExist
	hint string
}

// QueryMessage gives the text of the query protocol.
func (a absent) QueryMessage() string {
	return "The specified queue does not exist for this wsdl version." + a.hint
}

func noQueue() error { return noQueueBut("") }

func noQueueBut(hint string) error {
	return absent{
		&api.QueueDoesNotExist{Message: "The specified queue does not exist." + hint}, hint,
	}
}

// missing is noQueue for who may have the wrong Region: a queue's URL names none here, so
// nothing else would tell.
func (s *Service) missing(call *gateway.Call, a address) error {
	var regions []string
	s.mu.RLock()
	for n := range s.realms {
		if n.account == a.account && s.queues[address{n, a.name}] != nil {
			regions = append(regions, n.region)
		}
	}
	s.mu.RUnlock()
	if a.account != call.Account || len(regions) == 0 {
		return noQueue()
	}
	return noQueueBut(fmt.Sprintf(" Your account has one of this name in %s; the request is "+
		"signed for %s.", slices.Min(regions), a.region))
}

var _ wire.QueryMessenger = absent{}

// answer gives a failure of the broker in SQS's words.
func answer(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return noQueue()
	case fault.KeyUnavailable:
		f, _ := errors.AsType[*fault.Error](err)
		return &api.KmsInvalidState{Message: f.Text}
	case fault.Exhausted:
		f, _ := errors.AsType[*fault.Error](err)
		return &api.RequestThrottled{Message: f.Text}
	}
	return err
}
