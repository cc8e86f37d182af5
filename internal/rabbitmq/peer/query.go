package peer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is what the query of a URI sets. Its errors show no value: a password with a
// question mark that is not escaped looks like one.
type query struct {
	caFile, certFile, keyFile string
	serverName                string // "": the host
	mechanisms                []string
	heartbeat                 time.Duration
	heartbeatSet              bool
	timeout                   time.Duration // to connect; 0: the default
	channelMax                uint16
	frameMax                  int
}

// Names that RabbitMQ refuses in a query because they have a place elsewhere.
const elsewhere = "username virtual_host host port node adapter_info ssl_options " +
	"auth_mechanisms client_properties socket_options"

func (q *query) parse(text string, secure bool) error {
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '&' }) {
		key, value, _ := strings.Cut(pair, "=")
		value, err := unescape(value)
		if err != nil {
			return fmt.Errorf("{invalid_parameter,%w}", err)
		}
		if err := q.set(key, value, secure); err != nil {
			return err
		}
	}
	if (q.certFile == "") != (q.keyFile == "") {
		return fmt.Errorf("{invalid_ssl_parameter,certfile,\"needs keyfile too\"}")
	}
	return nil
}

// set takes one parameter. As in RabbitMQ unknown ones have no meaning, and those of TLS
// none without it.
func (q *query) set(key, value string, secure bool) (err error) {
	switch key {
	case "heartbeat":
		var seconds uint64
		seconds, err = number(key, value, 16)
		q.heartbeat, q.heartbeatSet = time.Duration(seconds)*time.Second, true
	case "connection_timeout":
		var ms uint64
		ms, err = number(key, value, 31)
		q.timeout = time.Duration(ms) * time.Millisecond
	case "channel_max":
		var n uint64
		n, err = number(key, value, 16)
		q.channelMax = uint16(n)
	case "frame_max":
		var n uint64
		n, err = number(key, value, 31)
		q.frameMax = int(n)
	case "auth_mechanism":
		name := strings.ToUpper(strings.TrimPrefix(value, "amqp_auth_mechanisms:"))
		if !slices.Contains([]string{"PLAIN", "AMQPLAIN", "EXTERNAL"}, name) {
			return fmt.Errorf("unknown_mechanism")
		}
		q.mechanisms = append(q.mechanisms, name)
	default:
		if slices.Contains(strings.Fields(elsewhere), key) {
			return fmt.Errorf("{parameter_unconfigurable_in_query,%s}", key)
		}
		if secure {
			return q.setTLS(key, value)
		}
	}
	return err
}

func (q *query) setTLS(key, value string) error {
	switch key {
	case "cacertfile":
		q.caFile = value
	case "certfile":
		q.certFile = value
	case "keyfile":
		q.keyFile = value
	case "server_name_indication":
		if value == "disable" {
			return fmt.Errorf("{invalid_ssl_parameter,server_name_indication,%s}",
				`"the server's name is always verified: name the one in its certificate"`)
		}
		q.serverName = value
	case "verify":
		switch value {
		case "verify_peer":
		case "verify_none":
			return fmt.Errorf("{invalid_ssl_parameter,verify,%s}",
				`"servers are always verified: use verify_peer, with cacertfile where needed"`)
		default:
			return fmt.Errorf("{invalid_ssl_parameter,verify,invalid_atom_parameter}")
		}
	case "depth":
		_, err := number(key, value, 31)
		return err
	case "fail_if_no_peer_cert":
		if value != "true" && value != "false" {
			return fmt.Errorf("{invalid_ssl_parameter,%s,require_boolean}", key)
		}
	case "password":
		return fmt.Errorf("{invalid_ssl_parameter,password,%s}",
			`"keyfile has to be without a password"`)
	}
	return nil
}

func number(key, value string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("{invalid_amqp_params_parameter,%s,not_an_integer}", key)
	}
	return n, nil
}
