package wire

// Message is the sections of an encoded message. Slices alias the input; nil is a
// section that is not there.
type Message struct {
	Header      Raw // a list; read it with Header.Parse
	Delivery    Raw // delivery annotations: a map
	Annotations Raw // message annotations: a map
	Bare        Bare
}

// Bare is the part of a message that nobody on its way changes, and its footer.
type Bare struct {
	Encoded     []byte // all that follows
	Properties  Raw    // a list; read it with Properties.Parse
	Application Raw    // application properties: a map
	Body        []byte // the encoded sections of the body
	Kind        Code   // of them; 0: there are none
	Sections    int    // their number
	Footer      Raw    // a map
}

// Parse reads an encoded message. Errors are of type *Violation.
func (m *Message) Parse(b []byte) error {
	*m = Message{}
	last := Code(0)
	for len(b) > 0 {
		code, value, rest, err := section(b)
		if err != nil {
			return err
		}
		if code >= CodeProperties {
			return m.Bare.Parse(b)
		}
		if code <= last {
			return undecodable("section %v stands after %v", code, last)
		}
		switch last = code; {
		case code == CodeHeader && value.IsList():
			m.Header = value
		case code == CodeDeliveryAnnotations && value.IsMap():
			m.Delivery = value
		case code == CodeMessageAnnotations && value.IsMap():
			m.Annotations = value
		default:
			return undecodable("section %v has a wrong type", code)
		}
		b = rest
	}
	return nil
}

// Parse reads an encoded bare message. Errors are of type *Violation.
func (m *Bare) Parse(b []byte) error {
	*m = Bare{Encoded: b}
	last := Code(0)
	for len(b) > 0 {
		code, value, rest, err := section(b)
		if err != nil {
			return err
		}
		again := code == last && (code == CodeData || code == CodeAmqpSequence)
		other := m.Sections > 0 && code < CodeFooter
		if !again && (code <= last || other) || code < CodeProperties {
			return undecodable("section %v stands after %v", code, last)
		}
		ok := true
		switch last = code; code {
		case CodeProperties:
			m.Properties, ok = value, value.IsList()
		case CodeApplicationProperties:
			m.Application, ok = value, value.IsMap()
		case CodeFooter:
			m.Footer, ok = value, value.IsMap()
		case CodeData:
			_, ok = value.Binary()
		case CodeAmqpSequence:
			ok = value.IsList()
		}
		if !ok {
			return undecodable("section %v has a wrong type", code)
		}
		if code >= CodeData && code < CodeFooter {
			if m.Sections++; m.Sections == 1 {
				m.Kind, m.Body = code, b
			}
			m.Body = m.Body[:cap(m.Body)-cap(rest)]
		}
		b = rest
	}
	return nil
}

// section splits the first section off b. The rest has the end of b's memory as its
// own, so that capacities tell distances.
func section(b []byte) (code Code, value Raw, rest []byte, err error) {
	v, rest, err := Next(b)
	if err != nil {
		return 0, nil, nil, err
	}
	code, value, ok := v.Described()
	if !ok || code < CodeHeader || code > CodeFooter {
		return 0, nil, nil, undecodable("what is no section stands in a message")
	}
	return code, value, rest, nil
}

// EachData calls fn for the octets of each data section of a body.
func (m *Bare) EachData(fn func([]byte)) {
	m.each(func(v Raw) {
		data, _ := v.Binary()
		fn(data)
	})
}

// each calls fn for the value of each body section.
func (m *Bare) each(fn func(Raw)) {
	for b := m.Body; len(b) > 0; {
		v, rest, err := Next(b)
		if err != nil {
			return
		}
		_, value, _ := v.Described()
		fn(value)
		b = rest
	}
}

// Value is the value of a body of one amqp-value section, else nil.
func (m *Bare) Value() (value Raw) {
	if m.Kind == CodeAmqpValue {
		m.each(func(v Raw) { value = v })
	}
	return value
}
