package amqp091

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/protocoltest"
)

var update = flag.Bool("update", false, "write what the server said into the scripts")

var generatedName = regexp.MustCompile(`amq\.(gen|ctag)-[\w-]{22}`)

// TestScripts runs the conversations in testdata. A line "> CHANNEL METHOD
// Field=value…" is a method frame of the client, "> CHANNEL header SIZE [MODE]"
// and "> CHANNEL body TEXT" are the frames of a content, and "< …" is what the
// server answers, in the same form; "< end" is the end of the connection, and "!"
// locks or unlocks the key. With -update the answers are written anew, one for
// each that was there.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			e := newEngine(t)
			r := runner{t: t, domain: e.Domain, methods: methodTypes()}
			r.peer = dialPeer(t, serveTest(t, e, Config{}))
			r.peer.open("/", 0)
			var out strings.Builder
			for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
				got := r.line(line)
				if got != line && !*update {
					t.Fatalf("%s:%d: %q, want %q", name, i+1, got, line)
				}
				fmt.Fprintln(&out, got)
			}
			if *update {
				if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// methodTypes maps names to the structs that scripts may send.
func methodTypes() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, m := range []wire.Method{
		&wire.ConnectionClose{}, &wire.ConnectionCloseOk{}, &wire.ChannelOpen{},
		&wire.ChannelClose{}, &wire.ChannelCloseOk{}, &wire.ChannelFlow{},
		&wire.ExchangeDeclare{}, &wire.ExchangeDelete{}, &wire.QueueDeclare{},
		&wire.QueueBind{}, &wire.QueueUnbind{}, &wire.QueuePurge{}, &wire.QueueDelete{},
		&wire.BasicQos{}, &wire.BasicConsume{}, &wire.BasicCancel{}, &wire.BasicPublish{},
		&wire.BasicGet{}, &wire.BasicAck{}, &wire.BasicReject{}, &wire.BasicNack{},
		&wire.BasicRecover{}, &wire.ConfirmSelect{}, &wire.TxSelect{}, &wire.TxCommit{},
		&wire.TxRollback{}, &wire.ExchangeBind{}, &wire.ExchangeUnbind{},
	} {
		types[m.ID().String()] = reflect.TypeOf(m).Elem()
	}
	return types
}

type runner struct {
	t       *testing.T
	peer    *peer
	domain  *protocoltest.Domain
	methods map[string]reflect.Type
}

// line does what a line says and gives the line as it should be.
func (r *runner) line(line string) string {
	r.t.Helper()
	words := strings.Fields(line)
	switch {
	case len(words) == 0 || strings.HasPrefix(line, "#"):
	case line == "! lock":
		r.domain.Disable()
	case line == "! unlock":
		r.domain.Set(nil)
	case words[0] == "<":
		return "< " + r.answer()
	case words[0] == ">" && len(words) >= 3:
		channel, err := strconv.Atoi(words[1])
		if err != nil {
			r.t.Fatal(line, err)
		}
		r.say(uint16(channel), words[2], words[3:])
	default:
		r.t.Fatalf("what is %q?", line)
	}
	return line
}

// say sends a frame.
func (r *runner) say(channel uint16, what string, arguments []string) {
	r.t.Helper()
	switch what {
	case "header":
		var p wire.Properties
		if len(arguments) > 1 {
			p.Flags, p.DeliveryMode = wire.FlagDeliveryMode, arguments[1][0]-'0'
		}
		size, err := strconv.ParseUint(arguments[0], 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		b, err := wire.AppendContentHeader(nil, size, &p)
		if err != nil {
			r.t.Fatal(err)
		}
		r.peer.write(wire.AppendHeader(nil, channel, b))
	case "body":
		r.peer.write(raw(wire.FrameBody, channel, strings.Join(arguments, " ")))
	default:
		typ, ok := r.methods[what]
		if !ok {
			r.t.Fatalf("no method %q", what)
		}
		m := reflect.New(typ)
		for _, a := range arguments {
			name, value, _ := strings.Cut(a, "=")
			r.set(m.Elem().FieldByName(name), value)
		}
		r.peer.send(channel, m.Interface().(wire.Method))
	}
}

// set parses a value into a field.
func (r *runner) set(f reflect.Value, value string) {
	r.t.Helper()
	switch f.Kind() {
	case reflect.String:
		f.SetString(value)
	case reflect.Bool:
		f.SetBool(value == "true")
	case reflect.Slice:
		if f.Type() == reflect.TypeFor[wire.Table]() {
			k, v, _ := strings.Cut(value, ":")
			f.Set(reflect.ValueOf(wire.Table{{Name: k, Value: wire.StringValue(v)}}))
			return
		}
		f.SetBytes([]byte(value))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		f.SetUint(n)
	default:
		r.t.Fatalf("no field for %q", value)
	}
}

// answer reads a frame and gives its line, without the sign in front.
func (r *runner) answer() string {
	r.t.Helper()
	f, err := r.peer.frame()
	switch {
	case errors.Is(err, io.EOF):
		return "end"
	case err != nil:
		r.t.Fatal(err)
	}
	channel := strconv.Itoa(int(f.Channel)) + " "
	switch f.Type {
	case wire.FrameHeader:
		h, err := wire.ParseContentHeader(f.Payload)
		var p wire.Properties
		if err == nil {
			err = p.Parse(h.Raw)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if p.Has(wire.FlagDeliveryMode) {
			return fmt.Sprintf("%sheader %d %d", channel, h.BodySize, p.DeliveryMode)
		}
		return fmt.Sprintf("%sheader %d", channel, h.BodySize)
	case wire.FrameBody:
		return channel + "body " + string(f.Payload)
	}
	m, err := r.peer.dec.Method(f.Payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return channel + describe(m)
}

// describe gives a method and its fields that are not zero.
func describe(m wire.Method) string {
	var b strings.Builder
	b.WriteString(m.ID().String())
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			continue
		}
		value := f.Interface()
		if bytes, ok := value.([]byte); ok {
			value = string(bytes)
		}
		if code, ok := value.(wire.Code); ok {
			value = uint16(code)
		}
		if text := fmt.Sprint(value); strings.Contains(text, " ") {
			value = strconv.Quote(text)
		}
		fmt.Fprintf(&b, " %s=%v", v.Type().Field(i).Name, value)
	}
	return generatedName.ReplaceAllString(b.String(), "amq.$1-*")
}
