package amqp10

import (
	"net/url"
	"strings"
)

// target is where messages of a link go.
type target struct {
	anonymous bool // where each message's property "to" says
	exchange  string
	key       string
	subject   bool   // the key is each message's subject
	queue     string // that must be there, or is declared
	declare   bool
}

// source is where messages of a link come from: a queue or, in the first version of
// addresses, an exchange that is bound to a queue of the link's own.
type source struct {
	queue    string
	declare  bool
	exchange string
	key      string
}

// Addresses of the second version.
const (
	queuesPrefix    = "/queues/"
	exchangesPrefix = "/exchanges/"
)

// parseTarget reads the address of a target; ok is false for none that there can be.
func parseTarget(address string) (t target, ok bool) {
	if t, ok, v2 := parseTargetV2(address); v2 {
		return t, ok
	}
	kind, rest, key, ok := parseV1(address)
	switch {
	case !ok:
		return t, false
	case kind == "exchange":
		return target{exchange: rest, key: key, subject: key == ""}, rest != ""
	case kind == "topic":
		return target{exchange: "amq.topic", key: rest, subject: rest == ""}, true
	case kind == "queue":
		return target{key: rest, subject: rest == "", queue: rest, declare: rest != ""}, true
	}
	return target{key: rest, queue: rest}, rest != ""
}

// parseTargetV2 reads an address of the second version, if it is one.
func parseTargetV2(address string) (t target, ok, v2 bool) {
	if name, is := strings.CutPrefix(address, queuesPrefix); is {
		name, ok := unescape(name)
		return target{key: name, queue: name}, ok && name != "", true
	}
	rest, is := strings.CutPrefix(address, exchangesPrefix)
	if !is {
		return t, false, false
	}
	exchange, key, _ := strings.Cut(rest, "/")
	exchange, ok = unescape(exchange)
	key, ok2 := unescape(key)
	ok = ok && ok2 && exchange != "" && exchange != "amq.default"
	return target{exchange: exchange, key: key}, ok, true
}

// parseSource reads the address of a source.
func parseSource(address string) (s source, ok bool) {
	if name, is := strings.CutPrefix(address, queuesPrefix); is {
		name, ok := unescape(name)
		return source{queue: name}, ok && name != ""
	}
	if strings.HasPrefix(address, exchangesPrefix) {
		return s, false
	}
	kind, rest, key, ok := parseV1(address)
	switch {
	case !ok, rest == "":
		return s, false
	case kind == "exchange":
		return source{exchange: rest, key: key}, true
	case kind == "topic":
		return source{exchange: "amq.topic", key: rest}, true
	}
	return source{queue: rest, declare: kind == "queue"}, true
}

// parseV1 reads an address of the first version: its kind ("queue", "amq/queue",
// "exchange", "topic"), a name, and a key.
func parseV1(address string) (kind, name, key string, ok bool) {
	if !strings.HasPrefix(address, "/") {
		if strings.Contains(address, "/") {
			return "", "", "", false
		}
		name, ok = unescape(address)
		return "queue", name, "", ok && name != ""
	}
	parts := strings.Split(address[1:], "/")
	if len(parts) > 2 && parts[0] == "amq" && parts[1] == "queue" {
		parts = append([]string{"amq/queue"}, parts[2:]...)
	}
	most := 2
	switch kind = parts[0]; kind {
	case "exchange":
		most = 3
	case "queue", "topic", "amq/queue":
	default:
		return "", "", "", false
	}
	if len(parts) > most {
		return "", "", "", false
	}
	for i := 1; i < len(parts); i++ {
		if parts[i], ok = unescape(parts[i]); !ok {
			return "", "", "", false
		}
	}
	parts = append(parts, "", "")
	return kind, parts[1], parts[2], true
}

// unescape takes percent encoding away.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	s, err := url.PathUnescape(s)
	return s, err == nil
}

// queueAddress is the address of a queue, of the second version.
func queueAddress(name string) string {
	return queuesPrefix + escape(name)
}
