package amqp091

import (
	"fmt"
	"strconv"

	"coffer/internal/broker"
)

// lifetime reads the property expiration: milliseconds in decimal. What is wrong is
// told as RabbitMQ does, as an Erlang term.
func lifetime(text []byte) (life broker.Bound, wrong string) {
	digits := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		digits = 1
	}
	end := digits
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	switch {
	case end == digits:
		return life, "no_integer"
	case end < len(text):
		return life, "{leftover_string," + term(string(text[end:])) + "}"
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err == nil && n < 0:
		return life, fmt.Sprintf("{value_negative,%d}", n)
	case err != nil && text[0] == '-':
		return life, fmt.Sprintf("{value_negative,%s}", text)
	case err != nil || n > longestTime:
		return life, fmt.Sprintf("{value_too_large,%s}", text[digits:])
	}
	return broker.AtMost(n), ""
}
