package ui

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// message is what the API shows of a message that was got.
type message struct {
	Payload       string
	Encoding      string   `json:"payload_encoding"`
	Size          *float64 `json:"payload_bytes"`
	Redelivered   bool
	Exchange      string
	Key           string          `json:"routing_key"`
	Left          *float64        `json:"message_count"`
	RawProperties json.RawMessage `json:"properties"`
}

// Cut reports whether the payload is longer than what is shown of it.
func (m *message) Cut() bool { return m.Size != nil && *m.Size > maxShown }

// Properties gives the properties that are set, but the headers.
func (m *message) Properties() map[string]any {
	all := m.properties()
	delete(all, "headers")
	return all
}

// Headers gives the headers.
func (m *message) Headers() map[string]any {
	h, _ := m.properties()["headers"].(map[string]any)
	return h
}

func (m *message) properties() map[string]any {
	d := json.NewDecoder(bytes.NewReader(m.RawProperties))
	d.UseNumber()
	var all map[string]any
	if d.Decode(&all) != nil {
		return nil // none is written as an empty list
	}
	return all
}

// Pretty gives a payload that is JSON in lines, and others as they are.
func (m *message) Pretty() string {
	text := strings.TrimSpace(m.Payload)
	if m.Encoding != "string" || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return m.Payload
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return m.Payload
	}
	return b.String()
}

// Dump gives the beginning of a payload that is no text, in hexadecimal digits.
func (m *message) Dump() string {
	data, err := base64.StdEncoding.DecodeString(m.Payload)
	if err != nil {
		return m.Payload
	}
	const line, most = 16, 1024
	var b strings.Builder
	for i := 0; i < min(len(data), most); i += line {
		part := data[i:min(i+line, len(data))]
		fmt.Fprintf(&b, "%06x  %-47x  ", i, spaced(part))
		for _, c := range part {
			if c < ' ' || c > '~' {
				c = '.'
			}
			b.WriteByte(c)
		}
		b.WriteByte('\n')
	}
	if len(data) > most {
		b.WriteString("…\n")
	}
	return b.String()
}

// spaced writes its octets apart.
type spaced []byte

// Format is [fmt.Formatter]'s.
func (s spaced) Format(f fmt.State, _ rune) {
	text := fmt.Sprintf("% x", []byte(s))
	width, _ := f.Width()
	fmt.Fprintf(f, "%-*s", width, text)
}

// Bounds of getting messages.
const (
	maxGet      = 100
	maxShown    = 64 << 10 // octets of each payload
	getOneQueue = "/get"
)

func getMessages(v *visit) error {
	vhost, name := v.field("vhost"), v.field("queue")
	count, err := strconv.Atoi(v.field("count"))
	if err != nil || count < 1 || count > maxGet {
		return wrong("The number of messages is from 1 to %d.", maxGet)
	}
	list := []message{}
	err = v.change(http.MethodPost, path("queues", vhost, name)+getOneQueue, map[string]any{
		"count": count, "ackmode": v.field("ackmode"), "encoding": v.field("encoding"),
		"truncate": maxShown,
	}, &list)
	if err != nil {
		return err
	}
	return v.showQueue(list, true)
}

// publishMessage publishes what the page of an exchange or of a queue holds.
func publishMessage(v *visit) error {
	exchange := v.field("exchange")
	to := exchangeLink(v.field("vhost"), exchange)
	key := v.field("routing_key")
	if q := v.field("queue"); q != "" {
		exchange, key = defaultExchange, q
		to = queueLink(v.field("vhost"), q)
	}
	if exchange == "" {
		exchange = defaultExchange
	}
	properties, err := v.properties()
	if err != nil {
		return err
	}
	if !utf8.ValidString(v.payload()) {
		return errNotText
	}
	var said struct{ Routed bool }
	err = v.change(http.MethodPost, path("exchanges", v.field("vhost"), exchange)+"/publish",
		map[string]any{
			"routing_key": key, "properties": properties,
			"payload": v.payload(), "payload_encoding": v.encoding(),
		}, &said)
	if err != nil {
		return err
	}
	if !said.Routed {
		v.s.say(notice{Bad: true, Text: "The message was taken, but led to no queue."})
		http.Redirect(v.w, v.r, to, http.StatusSeeOther)
		return nil
	}
	return v.done(to, "The message is published.")
}

// payload is what a form holds. Browsers write the ends of lines in two characters.
func (v *visit) payload() string {
	text := v.field("payload")
	if v.encoding() == "base64" {
		return strings.Join(strings.Fields(text), "")
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

func (v *visit) encoding() string {
	if v.field("payload_encoding") == "base64" {
		return "base64"
	}
	return "string"
}

// properties reads the headers and properties of a form; properties that are numbers
// are written so.
func (v *visit) properties() (map[string]any, error) {
	p, err := parseArguments(v.field("properties"))
	if err != nil {
		return nil, err
	}
	for name, value := range p {
		switch name {
		case "delivery_mode", "priority", "timestamp", "headers":
		default:
			if n, ok := value.(json.Number); ok {
				p[name] = n.String()
			}
		}
	}
	headers, err := parseArguments(v.field("headers"))
	if err != nil {
		return nil, err
	}
	if len(headers) > 0 {
		p["headers"] = headers
	}
	if mode := v.field("delivery_mode"); mode == "1" || mode == "2" {
		p["delivery_mode"] = json.Number(mode)
	}
	return p, nil
}
