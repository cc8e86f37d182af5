package broker

// AddressKind is the rule by which an address maps keys to queues.
type AddressKind uint8

// The kinds of addresses. Their numbers are stored.
const (
	Direct  AddressKind = 1 // bindings whose key is the message's
	Fanout  AddressKind = 2 // all bindings
	Pattern AddressKind = 3 // words divided by '.'; in a binding * is one word, # any number
)

// Address is where messages are published to; AMQP calls it an exchange. The
// address "" is built in: it leads to the queue named by the key.
type Address struct {
	Name       string
	Kind       AddressKind
	Durable    bool
	AutoDelete bool   // goes with its last binding
	Internal   bool   // not for publishers; doors enforce it
	Arguments  []byte // opaque
}

// QueueSpec is what a queue was declared with.
type QueueSpec struct {
	Name       string
	Durable    bool // survives a restart, unless Exclusive
	AutoDelete bool // goes with its last consumer, once it had one
	Exclusive  bool // belongs to the session that declares it and goes with it
	Arguments  []byte
}

// stored reports whether the queue and its durable messages survive a restart.
func (s *QueueSpec) stored() bool { return s.Durable && !s.Exclusive }

// Binding leads messages from an address to a queue. All four fields together
// identify it.
type Binding struct {
	Source    string // name of the address
	Queue     string // name of the queue
	Key       string
	Arguments []byte // opaque
}
