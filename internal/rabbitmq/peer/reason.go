package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Reason puts the errors of a failed connection into words that an operator knows from
// RabbitMQ's log; others stay what they are.
func Reason(err error) error {
	if text := words(err); text != "" {
		return said{text, err}
	}
	return err
}

// said is an error with another text.
type said struct {
	text string
	err  error
}

func (s said) Error() string { return s.text }
func (s said) Unwrap() error { return s.err }

func words(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "unknown host (failed to resolve hostname)"
	}
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate was not accepted: " + certificate(v.Err)
	}
	switch {
	case errors.Is(err, amqp.ErrCredentials):
		return "ACCESS_REFUSED - the login was refused"
	case errors.Is(err, amqp.ErrSASL):
		return "no authentication mechanism is known to both sides"
	case errors.Is(err, amqp.ErrVhost):
		return "access to target virtual host was refused"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection to target host was refused (ECONNREFUSED)"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection to target host was reset by peer (ECONNRESET)"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "target host is unreachable (EHOSTUNREACH)"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT):
		return "connection to target host timed out (ETIMEDOUT)"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return "connection was closed by the other side"
	}
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return Reply(e)
	}
	return ""
}

// certificate leaves out of a failed verification what names nobody needs.
func certificate(err error) string {
	if u, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return u.Error()
	}
	return err.Error()
}

// Reply is how a broker's reply is shown: its code and text.
func Reply(e *amqp.Error) string { return fmt.Sprintf("%d %s", e.Code, e.Reason) }
