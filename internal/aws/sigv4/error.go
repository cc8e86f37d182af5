package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"coffer/internal/fault"
)

// Kind says what is wrong with a signature. AWS's code for it depends on the
// service's protocol; the names below are those of query / JSON services.
type Kind uint8

// The kinds.
const (
	// Missing: the request is not signed. MissingAuthenticationToken.
	Missing Kind = iota + 1
	// Incomplete: the signature's parts are malformed or missing.
	// IncompleteSignature / IncompleteSignatureException.
	Incomplete
	// UnknownKey: nobody has the access key.
	// InvalidClientTokenId / UnrecognizedClientException.
	UnknownKey
	// Mismatch: the signature is of another request or by another secret, or
	// its scope is wrong. SignatureDoesNotMatch / InvalidSignatureException.
	Mismatch
	// Skewed: the date is too far from now. It has the codes of Mismatch.
	Skewed
	// RequestExpired: a presigned request is past its X-Amz-Expires.
	// RequestExpired.
	RequestExpired
	// WrongPayload: X-Amz-Content-Sha256 is not the body's. S3 says
	// XAmzContentSHA256Mismatch, the others what they say of Mismatch.
	WrongPayload
	// ExpiredToken: the session of the access key is over, which only the caller
	// can know. ExpiredToken / ExpiredTokenException.
	ExpiredToken
	// Unsupported: a chunked or asymmetric signature. NotImplemented.
	Unsupported
)

// Error is a refused signature. Text is AWS's and may be shown to the caller.
// Its [fault.Kind] is Unauthenticated, or NotImplemented for Unsupported.
type Error struct {
	Kind Kind
	Text string
}

// Error gives the text.
func (e *Error) Error() string { return e.Text }

// Unwrap gives the error its fault.Kind.
func (e *Error) Unwrap() error {
	if e.Kind == Unsupported {
		return fault.New(fault.NotImplemented, "%s", e.Text)
	}
	return fault.New(fault.Unauthenticated, "%s", e.Text)
}

func failf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// mismatch is AWS's text for a signature that does not verify. It says nothing
// about what was expected.
func mismatch() *Error {
	return failf(Mismatch, "The request signature we calculated does not match the signature "+
		"you provided. Check your AWS Secret Access Key and signing method. "+
		"Consult the service documentation for details.")
}

// quote shows a header in an error as AWS does, so that what a client put into
// the wrong header, a password perhaps, is not repeated.
func quote(header string) string {
	sum := sha256.Sum256([]byte(header))
	return "(Hashed with SHA-256 and encoded with Base64) Authorization=" +
		base64.StdEncoding.EncodeToString(sum[:])
}
