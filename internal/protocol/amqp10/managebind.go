package amqp10

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/url"
	"regexp"
	"strings"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
	"coffer/internal/protocol/convert"
)

// postBinding makes a binding.
func (c *conn) postBinding(t Topology, body wire.Raw) error {
	var b broker.Binding
	err := fieldsOf(body, "bad binding field", func(key string, v wire.Raw) (ok bool, err error) {
		text, isText := v.Text()
		ok = isText
		switch key {
		case "source":
			b.Source = string(text)
		case "destination_queue":
			b.Queue = string(text)
		case "destination_exchange":
			b.Address = string(text)
		case "binding_key":
			b.Key = string(text)
		case "arguments":
			b.Arguments, err = convert.Table(v)
			ok = v.IsMap()
		default:
			ok = false
		}
		return ok, err
	})
	if err != nil {
		return err
	}
	if err := checkBinding(&b); err != nil {
		return err
	}
	return t.Bind(b, false)
}

// checkBinding refuses a binding of the default exchange, or to nothing.
func checkBinding(b *broker.Binding) error {
	switch {
	case b.Source == "" || b.Address == "" && b.Queue == "":
		return &status{"403", "operation not permitted on the default exchange"}
	case strings.ContainsAny(b.Source+b.Queue+b.Address, "\r\n"):
		return &status{"400", "Bad name: line feed and carriage return characters not allowed"}
	}
	return nil
}

// bindingPath is the last segment of a binding's address; what is in it is percent
// encoded.
var bindingPath = regexp.MustCompile(
	`^src=([0-9A-Za-z\-._~%]+);dst([eq])=([0-9A-Za-z\-._~%]+);key=([0-9A-Za-z\-._~%]*);` +
		`args=([0-9A-Za-z\-_]*)$`)

// deleteBinding removes a binding by its address.
func (c *conn) deleteBinding(t Topology, segment string) error {
	part := bindingPath.FindStringSubmatch(segment)
	if part == nil {
		return &status{"400", "bad binding path segment '" + segment + "'"}
	}
	for _, i := range []int{1, 3, 4} {
		text, err := url.PathUnescape(part[i])
		if err != nil {
			return &status{"400", "bad binding path segment '" + segment + "'"}
		}
		part[i] = text
	}
	want := broker.Binding{Source: part[1], Queue: part[3], Key: part[4]}
	if part[2] == "e" {
		want.Queue, want.Address = "", part[3]
	}
	if err := checkBinding(&want); err != nil {
		return err
	}
	for _, b := range c.namespace.Bindings() {
		if b.Source == want.Source && b.Queue == want.Queue && b.Address == want.Address &&
			b.Key == want.Key && argumentsHash(b.Arguments) == part[5] {
			return t.Bind(b, true)
		}
	}
	// Nothing is bound so; who may not unbind hears of that all the same.
	return t.Bind(want, true)
}

// argumentsHash tells the arguments of bindings apart in their addresses.
func argumentsHash(arguments []byte) string {
	if len(arguments) == 0 {
		return ""
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(arguments))
	return base64.RawURLEncoding.EncodeToString(sum)
}

// getBindings shows the bindings from an exchange to a thing with a key.
func (c *conn) getBindings(query url.Values) (code string, reply []byte, err error) {
	source, key := query.Get("src"), query.Get("key")
	queue, exchange := query.Get("dstq"), query.Get("dste")
	if !query.Has("dstq") && !query.Has("dste") || !query.Has("src") || !query.Has("key") {
		return "", nil, &status{"400", "missing 'dste' or 'dstq' in query"}
	}
	list, at := wire.OpenList(nil)
	n := 0
	for _, b := range c.namespace.Bindings() {
		if b.Source != source || b.Key != key || b.Queue != queue || b.Address != exchange {
			continue
		}
		list = appendBinding(list, &b)
		n++
	}
	return "200", wire.CloseList(list, at, n), nil
}

func appendBinding(dst []byte, b *broker.Binding) []byte {
	kind, name := "queue", b.Queue
	if b.Address != "" {
		kind, name = "exchange", b.Address
	}
	location := "/bindings/src=" + escape(b.Source) + ";dst" + kind[:1] + "=" + escape(name) +
		";key=" + escape(b.Key) + ";args=" + argumentsHash(b.Arguments)
	dst, at := wire.OpenMap(dst)
	for _, p := range [...][2]string{
		{"source", b.Source}, {"destination_" + kind, name}, {"binding_key", b.Key},
		{"location", location},
	} {
		dst = wire.AppendString(wire.AppendString(dst, p[0]), p[1])
	}
	dst = convert.AppendArguments(wire.AppendString(dst, "arguments"), b.Arguments)
	return wire.CloseMap(dst, at, 5)
}

// escape encodes a name for a path.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
