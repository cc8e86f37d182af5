package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// handshakeFailure gives the class of an error of a handshake, a label of metrics: what
// clients send must not make new ones.
func handshakeFailure(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return "handshake timeout"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return "handshake broken off"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "no TLS"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "client certificate"
	}
	// The alert of a client that does not trust our certificate, for one.
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return "refused by client"
	}
	return "handshake" // nothing in common, most often: version, suite, group
}
