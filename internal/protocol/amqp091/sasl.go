package amqp091

import (
	"bytes"

	"coffer/internal/protocol/amqp091/wire"
)

// The mechanisms, in the order in which they are offered. The last one is only where
// the client has shown a certificate.
const (
	mechanismPlain    = "PLAIN"
	mechanismAMQPlain = "AMQPLAIN"
	mechanismExternal = "EXTERNAL"
	mechanisms        = mechanismPlain + " " + mechanismAMQPlain
)

// credentials reads the response of a mechanism. The password aliases it.
func credentials(mechanism string, response wire.Secret) (string, wire.Secret, error) {
	switch mechanism {
	case mechanismPlain:
		return plain(response)
	case mechanismAMQPlain:
		return amqplain(response)
	}
	return "", nil, refuse(wire.CommandInvalid,
		"unknown authentication mechanism '%s'", mechanism)
}

// plain reads authorisation id, user and password between zero octets (RFC
// 4616). Like RabbitMQ it takes no notice of the first.
func plain(response wire.Secret) (string, wire.Secret, error) {
	_, rest, ok := bytes.Cut(response, []byte{0})
	user, password, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 || bytes.IndexByte(password, 0) >= 0 {
		return "", nil, refuse(wire.SyntaxError, "response <<...>> invalid")
	}
	return string(user), password, nil
}

// amqplain reads a table without its length that has LOGIN and PASSWORD.
func amqplain(response wire.Secret) (string, wire.Secret, error) {
	if wire.ValidateTable(response) == nil {
		login, ok := wire.FindField(response, "LOGIN")
		secret, ok2 := wire.FindField(response, "PASSWORD")
		if ok && ok2 {
			user, ok := login.Text()
			password, ok2 := secret.Text()
			if ok && ok2 {
				return string(user), password, nil
			}
		}
	}
	return "", nil, refuse(wire.SyntaxError,
		"AMQPLAIN auth info is missing LOGIN or PASSWORD field")
}
