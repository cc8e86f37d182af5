package amqp10

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp10/wire"
)

// How far a connection is when the wrong thing is sent.
const (
	atHeader  = iota
	atLogin   // mechanisms were received
	atOpen    // the header of AMQP was received
	atBegin   // open was received
	atSession // session 0 is there
	atLinks   // handle 0 sends to /queues/q, handle 1 receives from it
)

// wrong is one wrong thing and what it gets.
type wrong struct {
	name string
	at   int
	send func(p *peer)
	want string
}

// raw sends octets as they are.
func raw(b string) func(*peer) { return func(p *peer) { p.write([]byte(b)) } }

// one sends one frame on a channel.
func one(channel uint16, m performative) func(*peer) {
	return func(p *peer) { p.send(channel, m) }
}

// body sends a frame with any body.
func body(channel uint16, b string) func(*peer) {
	return func(p *peer) {
		f, at := wire.OpenFrame(nil, wire.FrameAMQP, channel)
		p.write(wire.CloseFrame(append(f, b...), at))
	}
}

// changed sends an attach after a change.
func changed(m *wire.Attach, change func(*wire.Attach)) func(*peer) {
	change(m)
	return one(0, m)
}

// moved sends a transfer after a change.
func moved(change func(*wire.Transfer)) func(*peer) {
	m := &wire.Transfer{DeliveryID: wire.Some(uint32(0)), DeliveryTag: []byte("t")}
	change(m)
	return func(p *peer) { p.write(frameOf(wire.FrameAMQP, 0, m, data("x"))) }
}

func TestWrong(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.Queue(t, "q")
	e.Queue(t, "denied")
	e.Denied["queue denied read"], e.Denied["exchange forbidden write"] = true, true
	e.Denied["queue new configure"] = true
	for _, x := range []broker.Address{
		{Name: "internal", Kind: broker.Fanout, Internal: true},
		{Name: "forbidden", Kind: broker.Fanout},
	} {
		if _, _, err := e.Namespace.DeclareAddress(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	s := serveTest(t, e, Config{MaxMessage: 4096, MaxPending: 8192, ChannelMax: 100,
		HandleMax: 100})
	cases := append(wrongHandshakes(), wrongSessions()...)
	cases = append(append(cases, wrongLinks()...), wrongMessages()...)
	cases = append(cases, wrongValues()...)
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, w := range cases {
		t.Run(w.name, func(t *testing.T) {
			p := dialPeer(t, s)
			w.prepare(p)
			w.send(p)
			if got := p.outcome(); !strings.HasPrefix(got, w.want) {
				t.Errorf("got %q, want %q", got, w.want)
			}
		})
	}
}

func (w *wrong) prepare(p *peer) {
	switch {
	case w.at == atLogin:
		p.write([]byte(wire.HeaderSASL))
		p.header()
		p.await(wire.CodeSASLMechanisms, &wire.SASLMechanisms{})
	case w.at == atOpen:
		p.login()
	case w.at >= atBegin:
		p.open()
	}
	if w.at >= atSession {
		p.begin(0, 1<<20)
	}
	if w.at == atLinks {
		p.attach(sender(0, "/queues/q"))
		p.attach(receiver(1, "/queues/q"))
	}
}

func wrongHandshakes() []wrong {
	open := func(change func(*wire.Open)) func(*peer) {
		m := &wire.Open{ContainerID: []byte("c"), MaxFrameSize: 4096}
		change(m)
		return one(0, m)
	}
	sasl := func(m performative) func(*peer) {
		return func(p *peer) { p.write(frameOf(wire.FrameSASL, 0, m, "")) }
	}
	return []wrong{
		{"no login", atHeader, func(p *peer) {
			p.write([]byte(wire.HeaderAMQP))
			if p.header() != wire.ProtocolSASL {
				p.t.Error("the header that is answered is not the one of SASL")
			}
		}, "eof"},
		{"wrong password", atLogin, sasl(plainInit("u", "x")), "sasl-outcome"},
		{"anonymous", atLogin, sasl(&wire.SASLInit{Mechanism: []byte("ANONYMOUS")}),
			"sasl-outcome"},
		{"plain without zeros", atLogin, sasl(&wire.SASLInit{
			Mechanism: []byte("PLAIN"), InitialResponse: []byte("u p"),
		}), "sasl-outcome"},
		{"no mechanism", atLogin, func(p *peer) {
			p.write(append([]byte{0, 0, 0, 12, 2, 1, 0, 0}, "\x00\x53\x41\x45"...))
		}, "eof"},
		{"response first", atLogin, sasl(&wire.SASLResponse{Response: []byte("x")}), "eof"},
		{"frame of AMQP in the login", atLogin, one(0, &wire.Close{}), "eof"},
		{"second header of SASL", atOpen, func(p *peer) { p.write([]byte(wire.HeaderSASL)) },
			"close amqp:connection:framing-error"},
		{"begin before open", atOpen, one(0, &wire.Begin{}), "close amqp:illegal-state"},
		{"open without a container", atOpen, body(0, "\x00\x53\x10\x45"),
			"close amqp:invalid-field"},
		{"small frames", atOpen, open(func(m *wire.Open) { m.MaxFrameSize = 511 }),
			"close amqp:frame-size-too-small"},
		{"unknown vhost", atOpen, open(func(m *wire.Open) { m.Hostname = []byte("vhost:no") }),
			"close amqp:not-found AMQP 1.0 connection refused: virtual host 'no' not found"},
		{"forbidden vhost", atOpen,
			open(func(m *wire.Open) { m.Hostname = []byte("vhost:secret") }),
			"close amqp:unauthorized-access access to vhost 'secret' refused for user 'u'"},
		{"second open", atBegin, open(func(*wire.Open) {}), "close amqp:illegal-state second open"},
		{"frame of SASL", atBegin, sasl(plainInit("u", "p")),
			"close amqp:connection:framing-error"},
		{"frame too large", atBegin, raw("\x7f\xff\xff\xff\x02\x00\x00\x00"),
			"close amqp:connection:framing-error"},
		{"frame too short", atBegin, raw("\x00\x00\x00\x07\x02\x00\x00\x00"),
			"close amqp:connection:framing-error"},
		{"data offset too small", atBegin, raw("\x00\x00\x00\x08\x01\x00\x00\x00"),
			"close amqp:connection:framing-error"},
		{"data offset too large", atBegin, raw("\x00\x00\x00\x08\x03\x00\x00\x00"),
			"close amqp:connection:framing-error"},
		{"unknown frame type", atBegin, raw("\x00\x00\x00\x08\x02\x07\x00\x00"),
			"close amqp:connection:framing-error"},
	}
}

func wrongSessions() []wrong {
	flow := func(change func(*wire.Flow)) func(*peer) {
		m := &wire.Flow{NextIncomingID: wire.Some(uint32(0)), IncomingWindow: 10}
		change(m)
		return one(0, m)
	}
	return []wrong{
		{"channel too high", atBegin, one(101, &wire.Begin{}),
			"close amqp:connection:framing-error channel number (101) exceeds"},
		{"begin that answers", atBegin, one(1, &wire.Begin{RemoteChannel: wire.Some(uint16(4))}),
			"close amqp:not-allowed"},
		{"begin twice", atSession, one(0, &wire.Begin{}), "close amqp:connection:framing-error"},
		{"begin without a window", atBegin, body(0, "\x00\x53\x11\xc0\x03\x02\x40\x43"),
			"close amqp:invalid-field begin without the field incoming-window"},
		{"attach without a session", atBegin, one(3, sender(0, "/queues/q")),
			"close amqp:connection:framing-error attach on channel 3"},
		{"end without a session", atBegin, one(3, &wire.End{}),
			"close amqp:connection:framing-error"},
		{"flow of no link", atSession, flow(func(m *wire.Flow) { m.Handle = wire.Some(uint32(9)) }),
			"end amqp:session:unattached-handle Unattached link handle: 9"},
		{"detach of no link", atSession, one(0, &wire.Detach{Handle: 9}),
			"end amqp:session:unattached-handle"},
		{"transfer to no link", atSession, moved(func(*wire.Transfer) {}),
			"end amqp:session:unattached-handle"},
		{"flow without a window", atSession, body(0, "\x00\x53\x13\xc0\x02\x01\x43"),
			"end amqp:invalid-field"},
		{"a message without an end", atLinks, func(p *peer) { p.transferParts(3 * incomingWindow) },
			"detach amqp:link:message-size-exceeded"},
		{"parts on many links", atSession, func(p *peer) {
			for handle := range uint32(4) {
				p.attach(sender(handle, "/queues/q"))
			}
			for handle := range uint32(3) {
				p.write(frameOf(wire.FrameAMQP, 0, &wire.Transfer{
					Handle: handle, DeliveryID: wire.Some(handle), More: true,
				}, strings.Repeat("x", 3000)))
			}
		}, "close amqp:resource-limit-exceeded incomplete messages"},
		{"disposition without a role", atSession, body(0, "\x00\x53\x15\x45"),
			"end amqp:invalid-field disposition without the field role"},
		{"unknown state", atLinks, one(0, &wire.Disposition{
			Role: wire.RoleReceiver, State: (&wire.Source{}).Append(nil),
		}), "end amqp:invalid-field Unrecognised state"},
		{"state that is a number", atLinks, one(0, &wire.Disposition{
			Role: wire.RoleReceiver, State: wire.AppendUint(nil, 3),
		}), "end amqp:invalid-field Unrecognised state"},
		{"performative of SASL", atSession, one(0, plainInit("u", "p")), "close amqp:not-allowed"},
		{"performative nobody knows", atSession, body(0, "\x00\x53\x99\x45"),
			"close amqp:not-allowed"},
	}
}

// transferParts sends frames of one message, of which more follow.
func (p *peer) transferParts(n int) {
	part := frameOf(wire.FrameAMQP, 0, &wire.Transfer{
		DeliveryID: wire.Some(uint32(0)), More: true,
	}, strings.Repeat("x", 4))
	p.write(bytes.Repeat(part, n))
}

func wrongLinks() []wrong {
	source := func(change func(*wire.Source)) func(*peer) {
		s := wire.Source{Address: text("/queues/q")}
		change(&s)
		return changed(receiver(2, ""), func(m *wire.Attach) { m.Source = s.Append(nil) })
	}
	to := func(address string) func(*peer) { return one(0, sender(2, address)) }
	from := func(address string) func(*peer) { return one(0, receiver(2, address)) }
	rejected := "detach amqp:invalid-field Attach rejected"
	return []wrong{
		{"handle in use", atLinks, one(0, sender(0, "/queues/q")),
			"end amqp:session:handle-in-use"},
		{"handle too high", atSession, one(0, sender(101, "/queues/q")),
			"close amqp:connection:framing-error link handle value (101) exceeds"},
		{"attach without a name", atSession, body(0, "\x00\x53\x12\xc0\x04\x03\x40\x43\x41"),
			"end amqp:invalid-field attach without the field name"},
		{"no such queue", atSession, from("/queues/no"),
			"detach amqp:not-found no queue 'no' in vhost '/'"},
		{"no such target queue", atSession, to("/queues/no"),
			"detach amqp:not-found no queue 'no'"},
		{"no such exchange", atSession, to("/exchanges/no/k"),
			"detach amqp:not-found no exchange 'no'"},
		{"internal exchange", atSession, to("/exchanges/internal"),
			"detach amqp:unauthorized-access"},
		{"forbidden exchange", atSession, to("/exchanges/forbidden"),
			"detach amqp:unauthorized-access write access to exchange 'forbidden' in vhost '/'"},
		{"forbidden queue", atSession, from("/queues/denied"),
			"detach amqp:unauthorized-access read access to queue 'denied' in vhost '/'"},
		{"forbidden declaration", atSession, from("new"),
			"detach amqp:unauthorized-access configure"},
		{"default exchange", atSession, to("/exchanges/amq.default/q"), rejected},
		{"empty exchange", atSession, to("/exchanges//q"), rejected},
		{"empty queue", atSession, from("/queues/"), rejected},
		{"bad escape", atSession, from("/queues/%zz"), rejected},
		{"slash too many", atSession, from("/a/b"), rejected},
		{"exchange as a source", atSession, from("/exchanges/amq.topic/k"), rejected},
		{"no source", atSession, changed(receiver(2, ""), func(m *wire.Attach) { m.Source = nil }),
			rejected},
		{"source that is a string", atSession, changed(receiver(2, ""), func(m *wire.Attach) {
			m.Source = text("q")
		}), rejected},
		{"address that is a number", atSession, source(func(s *wire.Source) {
			s.Address = wire.AppendUint(nil, 1)
		}), rejected},
		{"transactions", atSession, changed(sender(2, "x"), func(m *wire.Attach) {
			m.Target = (&wire.Coordinator{}).Append(nil)
		}), "detach amqp:not-implemented Transactions not supported"},
		{"browsing", atSession, source(func(s *wire.Source) {
			s.DistributionMode = []byte(wire.StdDistModeCopy)
		}), "detach amqp:not-implemented distribution-mode copy"},
		{"link recovery", atSession, changed(sender(2, "/queues/q"), func(m *wire.Attach) {
			m.IncompleteUnsettled = true
		}), "detach amqp:not-implemented Link recovery"},
		{"sender without a count", atSession, changed(sender(2, "/queues/q"), func(m *wire.Attach) {
			m.InitialDeliveryCount.Set = false
		}), "detach amqp:invalid-field"},
		{"settle mode", atSession, changed(sender(2, "/queues/q"), func(m *wire.Attach) {
			m.SndSettleMode = 7
		}), "detach amqp:invalid-field unknown settle mode"},
		{"management node", atSession, to("/management"), rejected},
	}
}

func wrongMessages() []wrong {
	user := wire.Properties{UserID: []byte("someone")}
	anonymous := func(q wire.Properties) func(*peer) {
		return func(p *peer) {
			p.attach(sender(2, ""))
			p.transfer(2, 0, false, string(q.Append(nil))+data("x"))
		}
	}
	unsettled := func(message string) func(*peer) {
		return func(p *peer) { p.transfer(0, 0, false, message) }
	}
	return []wrong{
		{"transfer on a receiver", atLinks, moved(func(m *wire.Transfer) { m.Handle = 1 }),
			"end amqp:not-allowed"},
		{"no delivery id", atLinks, moved(func(m *wire.Transfer) { m.DeliveryID.Set = false }),
			"end amqp:invalid-field the first transfer"},
		{"message format", atLinks, moved(func(m *wire.Transfer) {
			m.MessageFormat = wire.Some(uint32(1))
		}), "end amqp:not-implemented"},
		{"long tag", atLinks, moved(func(m *wire.Transfer) { m.DeliveryTag = make([]byte, 33) }),
			"end amqp:invalid-field delivery-tag"},
		{"resumed", atLinks, moved(func(m *wire.Transfer) { m.Resume = true }),
			"end amqp:not-implemented"},
		{"id that changes", atLinks, func(p *peer) {
			p.write(frameOf(wire.FrameAMQP, 0, &wire.Transfer{
				DeliveryID: wire.Some(uint32(0)), More: true,
			}, "x"))
			p.transfer(0, 1, false, "x")
		}, "end amqp:invalid-field delivery-id"},
		{"too large", atLinks, unsettled(data(strings.Repeat("x", 5000))),
			"detach amqp:link:message-size-exceeded"},
		{"too large in parts", atLinks, func(p *peer) {
			part := frameOf(wire.FrameAMQP, 0, &wire.Transfer{
				DeliveryID: wire.Some(uint32(0)), More: true,
			}, strings.Repeat("x", 3000))
			p.write(bytes.Repeat(part, 2))
		}, "detach amqp:link:message-size-exceeded"},
		{"no sections", atLinks, unsettled("hello"), "end amqp:decode-error"},
		{"sections in a wrong order", atLinks, unsettled(data("x") + "\x00\x53\x70\x45"),
			"end amqp:decode-error"},
		{"two bodies", atLinks, unsettled(data("x") + "\x00\x53\x77\x40"), "end amqp:decode-error"},
		{"cut off", atLinks, unsettled(data("hello")[:6]), "end amqp:decode-error"},
		{"another user", atLinks, unsettled(string(user.Append(nil)) + data("x")),
			"end amqp:unauthorized-access user_id property set to 'someone'"},
		{"anonymous to nowhere", atSession, anonymous(wire.Properties{}),
			"disposition rejected amqp:precondition-failed anonymous terminus requires"},
		{"anonymous to a bad address", atSession, anonymous(wire.Properties{To: text("q")}),
			"disposition rejected amqp:precondition-failed bad 'to' address string: q"},
		{"anonymous to no exchange", atSession, anonymous(wire.Properties{
			To: text("/exchanges/no/k"),
		}), "disposition rejected amqp:not-found no exchange 'no'"},
		{"anonymous to a forbidden exchange", atSession, anonymous(wire.Properties{
			To: text("/exchanges/forbidden"),
		}), "disposition rejected amqp:unauthorized-access"},
		{"no route", atSession, anonymous(wire.Properties{To: text("/queues/none")}),
			"disposition released"},
	}
}

func wrongValues() []wrong {
	deep := strings.Repeat("\xd0\x00\x00\x00\x00\x00\x00\x00\x01", 40)
	huge := binary.BigEndian.AppendUint32([]byte("\x00\x53\x13\xd0\x00\x00\x00\x08"), 1<<31)
	array := append([]byte("\x00\x53\x13\xc0\x0c\x01\xf0\x00\x00\x00\x05"),
		"\x7f\xff\xff\xff\x40"...)
	bad := func(b string) func(*peer) { return body(0, b) }
	return []wrong{
		{"body that is no list", atSession, bad("\x00\x53\x13\x40"), "end amqp:decode-error"},
		{"body without a descriptor", atSession, bad("\x45"), "end amqp:decode-error"},
		{"descriptor alone", atSession, bad("\x00\x53\x13"), "end amqp:decode-error"},
		{"unknown format code", atSession, bad("\x00\x53\x13\xc0\x02\x01\x3f"),
			"end amqp:decode-error unknown format code 0x3f"},
		{"list that is cut off", atSession, bad("\x00\x53\x13\xc0\x09\x02\x43"),
			"end amqp:decode-error"},
		{"list with octets left", atSession, bad("\x00\x53\x13\xc0\x03\x01\x43\x43"),
			"end amqp:decode-error"},
		{"huge count", atSession, bad(string(huge) + "\x43\x43\x43\x43"), "end amqp:decode-error"},
		{"huge array of nothing", atSession, bad(string(array)), "end amqp:decode-error"},
		{"too deep", atSession, bad("\x00\x53\x13" + deep), "end amqp:decode-error"},
		{"field of a wrong type", atSession, bad("\x00\x53\x17\xc0\x04\x01\xa1\x01x"), "end"},
		{"too many fields", atSession, bad("\x00\x53\x17\xc0\x03\x02\x40\x40"),
			"end amqp:decode-error end has 1 fields too many"},
		{"map with an odd count", atSession,
			bad("\x00\x53\x13\xc0\x0b\x0b\x43\x43\x43\x43\x40\x40\x40\x40\x40\x40\xc1"),
			"end amqp:decode-error"},
		{"boolean that is two", atSession, bad("\x00\x53\x15\xc0\x04\x02\x56\x02\x43"),
			"end amqp:decode-error a boolean is 2"},
		{"name that is no UTF-8", atSession,
			bad("\x00\x53\x12\xc0\x06\x03\xa1\x01\xff\x43\x41"), "end amqp:decode-error"},
	}
}
