package amqp091

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/buffer"
	"coffer/internal/seal"
)

// decoded lists basic.ack and basic.nack frames as "+7*": ack of 7, multiple.
func decoded(t *testing.T, b []byte) (list []string) {
	t.Helper()
	for len(b) > 0 {
		f, size, err := wire.ParseFrame(b, wire.DefaultFrameMax)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.ParseMethod(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		star := map[bool]string{true: "*"}
		switch m := m.(type) {
		case *wire.BasicAck:
			list = append(list, "+"+number(m.DeliveryTag)+star[m.Multiple])
		case *wire.BasicNack:
			list = append(list, "-"+number(m.DeliveryTag)+star[m.Multiple])
		}
		b = b[size:]
	}
	return list
}

func number(n uint64) string { return string(rune('0' + n)) }

func TestConfirmsAreToldInOrder(t *testing.T) {
	var c confirms
	for range 5 {
		c.expect(undecided)
	}
	c.expect(rejected) // 6
	c.expect(undecided)
	step := func(want ...string) {
		t.Helper()
		if got := decoded(t, c.tell(nil, 1)); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c.settle(2, true)
	step()
	c.settle(1, true)
	step("+2*")
	c.settle(4, false)
	c.settle(3, true)
	step("+3", "-4")
	c.settle(9, true) // nobody published it
	c.settle(1, true) // told long ago
	c.settle(5, false)
	step("-6*")
	c.settle(7, true)
	step("+7")
	step()
}

// TestConfirmTagWraps publishes past the bits that a tag keeps.
func TestConfirmTagWraps(t *testing.T) {
	c := confirms{told: sequenceMask - 1}
	c.expect(undecided)
	c.expect(undecided)
	for _, seq := range []uint64{sequenceMask, sequenceMask + 1} {
		id, low := splitTag(joinTag(5, seq))
		if id != 5 {
			t.Fatal(id)
		}
		c.settle(low, true)
	}
	if c.tell(nil, 1); c.told != sequenceMask+1 {
		t.Error(c.told)
	}
}

func TestUnackedTakes(t *testing.T) {
	refs := testRefs(t, 200)
	var u unacked
	for i, r := range refs {
		// Every other tag belongs to a consumer that settles nothing.
		u.push(uint64(2*i+2), &broker.Delivery{Ref: r}, 0)
	}
	take := func(tag uint64, multiple bool, want int) {
		t.Helper()
		got, ok := u.take(nil, tag, multiple, broker.Accept)
		if ok != (want >= 0) || len(got) != max(want, 0) {
			t.Errorf("take %d %v: %d, %v", tag, multiple, len(got), ok)
		}
	}
	take(3, false, -1)
	take(4, false, 1)
	take(4, false, -1)
	take(6, true, 2) // 2 and 6
	take(0, false, -1)
	take(401, true, -1)
	take(300, true, 147)
	take(0, true, 50)
	take(0, true, 0)
	u.push(500, &broker.Delivery{Ref: refs[0]}, 0)
	take(500, false, 1)
}

var noFacts seal.Facts

// testRefs gets references that are not zero from a real queue.
func testRefs(t *testing.T, n int) (refs []broker.DeliveryRef) {
	t.Helper()
	e := newEngine(t)
	s := e.Namespace.NewSession(broker.SessionConfig{})
	defer s.Close(t.Context())
	q, _, err := e.Namespace.DeclareQueue(t.Context(), s, broker.QueueSpec{Name: "q"})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		m, err := e.Namespace.Seal(nil, broker.Content{Body: []byte("x")}, noFacts)
		if err != nil {
			t.Fatal(err)
		}
		p := broker.Publishing{Message: m, Targets: []*broker.Queue{q}}
		if err := s.Publish(t.Context(), []broker.Publishing{p}); err != nil {
			t.Fatal(err)
		}
		d, _, ok, err := s.Get(t.Context(), q, false)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		refs = append(refs, d.Ref)
	}
	return refs
}

func TestInputGrowsAndShrinks(t *testing.T) {
	big := wire.AppendFrame(nil, wire.Frame{
		Type: wire.FrameBody, Channel: 1, Payload: bytes.Repeat([]byte{1}, 100_000),
	})
	small := wire.AppendHeartbeat(nil)
	stream := append(slices.Clone(big), bytes.Repeat(small, 3000)...)
	in := newInput(iotest.OneByteReader(bytes.NewReader(stream)), wire.DefaultFrameMax)
	frames, largest := 0, 0
	for {
		f, ok, err := in.next(wire.DefaultFrameMax)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			frames++
			largest = max(largest, len(f.Payload))
			continue
		}
		if _, err := in.Fill(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if frames != 3001 || largest != 100_000 {
		t.Errorf("%d frames, the largest of %d octets", frames, largest)
	}
	if in.Size() != buffer.Small {
		t.Errorf("the buffer has %d octets at the end", in.Size())
	}
}

func TestCredentials(t *testing.T) {
	login := func(fields ...wire.Field) string {
		b, err := wire.AppendTable(nil, fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[4:])
	}
	name := wire.Field{Name: "LOGIN", Value: wire.StringValue("u")}
	for _, tt := range []struct{ mechanism, response, user, password, text string }{
		{"PLAIN", "\x00u\x00p", "u", "p", ""},
		{"PLAIN", "other\x00u\x00", "u", "", ""},
		{"PLAIN", "u\x00p", "", "", "SYNTAX_ERROR - response <<...>> invalid"},
		{"PLAIN", "\x00u\x00p\x00q", "", "", "SYNTAX_ERROR - response <<...>> invalid"},
		{"AMQPLAIN", login(name, wire.Field{Name: "PASSWORD", Value: wire.StringValue("p")}),
			"u", "p", ""},
		{"AMQPLAIN", login(name), "", "",
			"SYNTAX_ERROR - AMQPLAIN auth info is missing LOGIN or PASSWORD field"},
		{"AMQPLAIN", "\xff", "", "",
			"SYNTAX_ERROR - AMQPLAIN auth info is missing LOGIN or PASSWORD field"},
		{"EXTERNAL", "", "", "",
			"COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL'"},
	} {
		user, password, err := credentials(tt.mechanism, wire.Secret(tt.response))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if user != tt.user || string(password) != tt.password || text != tt.text {
			t.Errorf("%s %q: %q, %d octets, %q", tt.mechanism, tt.response, user,
				len(password), text)
		}
	}
}

func TestShort(t *testing.T) {
	if got := short(strings.Repeat("é", 127)); len(got) != 254 {
		t.Error(len(got))
	}
	got := short(strings.Repeat("é", 128))
	if want := strings.Repeat("é", 126) + "..."; got != want {
		t.Error(got)
	}
}
