package sts

import (
	"errors"
	"fmt"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
)

// invalid is answered as ValidationError.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

func denied(format string, args ...any) error {
	return fault.New(fault.Denied, format, args...)
}

func malformed(err error) error {
	text := "The policy is malformed."
	if e, ok := errors.AsType[*fault.Error](err); ok {
		text = e.Text
	}
	return &api.MalformedPolicyDocumentException{Message: text}
}

func badMessage(err error) error {
	if errors.Is(err, gateway.ErrMessage) {
		return &api.InvalidAuthorizationMessageException{Message: "Message is not valid"}
	}
	return err
}

// tooLarge tells by how much what was passed is too large.
func tooLarge(percent int32, tags bool) error {
	text := fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.",
		percent)
	if tags {
		text = fmt.Sprintf("Packed size of session tags consumes %d%% of allotted space.", percent)
	}
	return &api.PackedPolicyTooLargeException{Message: text}
}
