package wire

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// composite is what every generated type can do.
type composite interface {
	Parse(list Raw) error
	Append(dst []byte) []byte
}

// filled gives a value of each type with most of its fields.
func filled() []composite {
	m, at := OpenMap(nil)
	m = CloseMap(AppendLong(AppendSymbol(m, "k"), -5), at, 1)
	symbols := AppendSymbols(nil, "a", "bc")
	text := AppendString(nil, strings.Repeat("ü", 200))
	return []composite{
		&Open{
			ContainerID: []byte("c"), Hostname: []byte{}, MaxFrameSize: 512, ChannelMax: 7,
			IdleTimeOut: Some(uint32(300)), OfferedCapabilities: symbols, Properties: Raw(m),
		},
		&Begin{
			RemoteChannel: Some(uint16(0)), NextOutgoingID: math.MaxUint32, IncomingWindow: 256,
			HandleMax: math.MaxUint32,
		},
		&Attach{
			Name: []byte("n"), Role: RoleReceiver, SndSettleMode: SenderSettleModeMixed,
			RcvSettleMode: ReceiverSettleModeSecond, Source: (&Source{Address: text}).Append(nil),
			InitialDeliveryCount: Some(uint32(0)), MaxMessageSize: Some(uint64(math.MaxUint64)),
		},
		&Flow{NextIncomingID: Some(uint32(1)), Handle: Some(uint32(0)), Drain: true, Echo: true},
		&Transfer{
			DeliveryID: Some(uint32(9)), DeliveryTag: []byte{}, MessageFormat: Some(uint32(0)),
			Settled: true, More: true, State: (&Accepted{}).Append(nil), Batchable: true,
		},
		&Disposition{Role: true, First: 3, Last: Some(uint32(9)), Settled: true},
		&Detach{Handle: 1, Closed: true, Error: (&Error{Condition: []byte("x")}).Append(nil)},
		&End{}, &Close{Error: (&Error{Condition: []byte("x"), Info: Raw(m)}).Append(nil)},
		&Header{Durable: true, Priority: Some(uint8(9)), TTL: Some(uint32(1 << 20))},
		&Properties{
			MessageID: text, UserID: bytes.Repeat([]byte{7}, 300),
			AbsoluteExpiryTime: Some(int64(-1)),
			GroupSequence:      Some(uint32(4)), ReplyToGroupID: []byte("r"),
		},
		&Received{SectionNumber: 1, SectionOffset: 1 << 40}, &Accepted{}, &Released{},
		&Rejected{Error: (&Error{Condition: []byte("x")}).Append(nil)},
		&Modified{DeliveryFailed: true, UndeliverableHere: true, MessageAnnotations: Raw(m)},
		&Source{
			Address: text, Durable: 2, ExpiryPolicy: []byte("never"), Timeout: 5, Dynamic: true,
			Filter: Raw(m), Outcomes: symbols, Capabilities: AppendSymbol(nil, "queue"),
		},
		&Target{Address: text, ExpiryPolicy: []byte(TerminusExpiryPolicySessionEnd)},
		&SASLMechanisms{SASLServerMechanisms: symbols},
		&SASLInit{Mechanism: []byte("PLAIN"), InitialResponse: []byte("\x00u\x00p")},
		&SASLChallenge{Challenge: []byte("c")}, &SASLResponse{Response: []byte("r")},
		&SASLOutcome{Code: SASLCodeAuth},
		&Coordinator{Capabilities: symbols}, &Declare{}, &Discharge{TxnID: AppendBinary(nil,
			"1"), Fail: true},
		&Declared{TxnID: AppendBinary(nil, "2")}, &TransactionalState{TxnID: AppendBinary(nil,
			"3")},
		&DeleteOnClose{}, &DeleteOnNoLinks{}, &DeleteOnNoMessages{}, &DeleteOnNoLinksOrMessages{},
	}
}

// blank gives a value of the same type, with a wrong word in each slice.
func blank(c Code) composite {
	for _, v := range filled() {
		if code, _, _ := Raw(v.Append(nil)).Described(); code == c {
			return v
		}
	}
	return nil
}

// What is written is read again, also over an old value.
func TestComposites(t *testing.T) {
	for _, v := range filled() {
		b := v.Append(nil)
		if err := Validate(b); err != nil {
			t.Fatalf("%T: %x: %v", v, b, err)
		}
		code, list, ok := Raw(b).Described()
		if !ok || code.String() == "unknown" {
			t.Fatalf("%T: described as %v", v, code)
		}
		again := blank(code)
		if err := again.Parse(list); err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		if got := again.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("%T: %x came back as %x", v, b, got)
		}
	}
}

// A descriptor may be a symbol.
func TestSymbolicDescriptor(t *testing.T) {
	b := append(AppendSymbol([]byte{codeDescribed}, "amqp:end:list"), codeList0)
	if p, err := ParsePerformative(b); err != nil || p.Code != CodeEnd {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 1 << 31, math.MinInt64} {
		if got, ok := Raw(AppendLong(nil, n)).Integer(); !ok || got != n {
			t.Errorf("%d came back as %d", n, got)
		}
	}
	for _, b := range [][]byte{
		AppendUbyte(nil, 200), AppendUshort(nil, 200), AppendUint(nil, 200), AppendUlong(nil, 200),
		AppendShort(nil, 200), AppendInt(nil, 200),
	} {
		if n, ok := Raw(b).Integer(); !ok || n != 200 || Raw(b).Width() == 0 {
			t.Errorf("%x is %d", b, n)
		}
	}
	if _, ok := Raw(AppendUlong(nil, math.MaxUint64)).Integer(); ok {
		t.Error("a number that does not fit was given")
	}
}

func TestElements(t *testing.T) {
	var got []string
	word := func(v Raw) bool {
		b, _ := v.Word()
		got = append(got, string(b))
		return true
	}
	Raw(AppendSymbols(nil, "a", "b")).Elements(word)
	Raw(AppendStrings(nil, "c")).Elements(word)
	Raw(AppendSymbol(nil, "d")).Elements(word)
	l, at := OpenList(nil)
	Raw(CloseList(AppendString(l, "e"), at, 1)).Elements(word)
	Raw(nil).Elements(word)
	if s := strings.Join(got, " "); s != "a b c d e" {
		t.Errorf("elements %q", s)
	}
}

// Depth has a bound that is not the stack's.
func TestDepth(t *testing.T) {
	nest := func(n int) []byte {
		b := []byte{codeNull}
		for range n {
			l, at := OpenList(nil)
			b = CloseList(append(l, b...), at, 1)
		}
		return b
	}
	if err := Validate(nest(MaxDepth - 1)); err != nil {
		t.Error(err)
	}
	if Validate(nest(MaxDepth)) == nil || Validate(bytes.Repeat([]byte{0}, 1<<20)) == nil {
		t.Error("too deep a value was accepted")
	}
}

// Reading frames and messages and writing what goes with each message allocates
// nothing.
func TestNoAllocations(t *testing.T) {
	x := Transfer{DeliveryID: Some(uint32(9)), DeliveryTag: []byte("tag")}
	h := Header{Durable: true, Priority: Some(uint8(4))}
	q := Properties{Subject: []byte("s"), MessageID: AppendString(nil, "id")}
	message := q.Append(h.Append(nil))
	message = AppendBinary(AppendDescriptor(message, CodeData), bytes.Repeat([]byte("x"), 500))
	b, at := OpenFrame(nil, FrameAMQP, 3)
	frame := CloseFrame(append(x.Append(b), message...), at)
	out := make([]byte, 0, 4096)
	var m Message
	allocated := testing.AllocsPerRun(100, func() {
		f, _, err := ParseFrame(frame, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePerformative(f.Body)
		if err != nil || x.Parse(p.Fields) != nil || m.Parse(p.Payload) != nil ||
			q.Parse(m.Bare.Properties) != nil || h.Parse(m.Header) != nil {
			t.Fatal("not understood")
		}
		out = x.Append(out[:0])
		out = h.Append(out)
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}
