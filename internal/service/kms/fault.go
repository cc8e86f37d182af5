package kms

import (
	"fmt"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

func notFound(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.NotFound, text, &kms.NotFoundException{Message: text})
}

func badARN(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &kms.InvalidArnException{Message: text})
}

func disabled(name string) error {
	text := name + " is disabled."
	return wire.Refuse(fault.KeyUnavailable, text, &kms.DisabledException{Message: text})
}

func badState(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.KeyUnavailable, text, &kms.KMSInvalidStateException{Message: text})
}

func badUsage(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &kms.InvalidKeyUsageException{Message: text})
}

// badCiphertext has no text, as at AWS: it must not say what was wrong.
func badCiphertext() error {
	return wire.Refuse(fault.Invalid, "", &kms.InvalidCiphertextException{})
}

// incorrectKey has AWS's words.
func incorrectKey() error {
	text := "The key ID in the request does not identify a CMK that can perform this operation."
	return wire.Refuse(fault.Invalid, text, &kms.IncorrectKeyException{Message: text})
}

// unknownCiphertext answers alike whether the key never was, is in another
// Region or is not the caller's to know of; the words are AWS's.
func unknownCiphertext() error {
	return fault.New(fault.Denied, "The ciphertext refers to a customer master key that does not "+
		"exist, does not exist in this region, or you are not allowed to access.")
}

func exists(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Exists, text, &kms.AlreadyExistsException{Message: text})
}

func overLimit(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Conflict, text, &kms.LimitExceededException{Message: text})
}

func unsupported(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &kms.UnsupportedOperationException{Message: text})
}

func malformedPolicy(text string) error {
	return wire.Refuse(fault.Invalid, text, &kms.MalformedPolicyDocumentException{Message: text})
}

func badTag(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &kms.TagException{Message: text})
}

func badAlias(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &kms.InvalidAliasNameException{Message: text})
}

func badMarker() error {
	text := "The marker is not valid for this request."
	return wire.Refuse(fault.Invalid, text, &kms.InvalidMarkerException{Message: text})
}

func badToken() error {
	text := "The grant token is not valid."
	return wire.Refuse(fault.Invalid, text, &kms.InvalidGrantTokenException{Message: text})
}

func badGrantID(id string) error {
	text := fmt.Sprintf("Invalid grant ID '%s'", id)
	return wire.Refuse(fault.Invalid, text, &kms.InvalidGrantIdException{Message: text})
}

// dryRun ends a request that asked whether it would succeed.
func dryRun(flag *bool) error {
	if flag == nil || !*flag {
		return nil
	}
	text := "The request would have succeeded, but the DryRun option is set."
	return wire.Refuse(fault.Conflict, text, &kms.DryRunOperationException{Message: text})
}
