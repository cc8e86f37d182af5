package broker

import "sync/atomic"

// AddressKind is the rule by which an address maps keys to queues.
type AddressKind uint8

// The kinds of addresses. Their numbers are stored.
const (
	Direct  AddressKind = 1 // bindings whose key is the message's
	Fanout  AddressKind = 2 // all bindings
	Pattern AddressKind = 3 // words divided by '.'; in a binding * is one word, # any number
	Matched AddressKind = 4 // bindings to which Guide.Match says yes
	Hashed  AddressKind = 5 // one of the bindings, whose keys are weights: decimal, from 1
	Drawn   AddressKind = 6 // one of the bindings, by chance
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
	// Alternate is the address that messages go on to for which this one has no
	// binding; "": none. It may be missing, and its own alternate follows.
	Alternate string
	// Memo and Counts are of an address that exists.
	Memo   *Memo
	Counts *AddressCounts
}

// Memo is a place for what a door makes of Arguments, so that it need not read them
// for each message. It stays as long as they do. Who reads it checks the type.
type Memo = atomic.Pointer[any]

// QueueSpec is what a queue was declared with.
type QueueSpec struct {
	Name       string
	Durable    bool // survives a restart, unless Exclusive
	AutoDelete bool // goes with its last consumer, once it had one
	Exclusive  bool // belongs to the session that declares it and goes with it
	// MaxPriority is the highest priority that the queue tells apart; 0: none.
	MaxPriority  uint8
	Groups       bool // the messages of a group go to one receiver at a time
	SingleActive bool // of its consumers one gets deliveries, the others wait
	// Fair lets groups take turns: many messages of one do not hold up the others. Each
	// group keeps its order, as far as nothing comes back. Groups whose hashes meet share
	// a turn. Not with Groups or MaxPriority.
	Fair      bool
	KeepAll   bool // if it survives a restart, so do messages that are not durable
	Limits    Limits
	Arguments []byte
}

// Bound is a number that may be missing.
type Bound struct {
	N   int64
	Set bool
}

// AtMost is the bound n.
func AtMost(n int64) Bound { return Bound{N: n, Set: true} }

// Limits are the rules of a queue that may change while it lives. The zero value
// has none.
type Limits struct {
	// Expiry is how long a message may wait, in milliseconds of domain time from
	// its arrival; the shorter of it and the message's own counts, and a later
	// change does not touch messages that are there.
	Expiry Bound
	// Retention is the same for all messages, those that are there too.
	Retention Bound
	// Idle is how long, in milliseconds of shard time, the queue stays without
	// consumers, receives and declarations; then it is deleted.
	Idle Bound

	MaxLength Bound // messages that may wait
	MaxBytes  Bound // bytes of their bodies
	Overflow  Overflow

	// Deliveries is how often a message may be released; then it is dead.
	Deliveries Bound
	// MaxInFlight bounds messages under leases.
	MaxInFlight Bound
	// Delay is how long, in milliseconds of domain time, a message that says
	// nothing itself waits before it is delivered. In a queue with Groups all do, in
	// order, those that are there too, and one with a delay of its own before that.
	Delay int64
	// Dedup is how long, in milliseconds of shard time, a message with the
	// deduplication id of an earlier one is not stored again; 0: never.
	Dedup int64

	// Dead says where messages go that expire, are rejected, are too many or too
	// often released. Without it they are dropped.
	Dead DeadLetter
}

// Overflow says what happens to a queue at its maximum length.
type Overflow uint8

// The ways to keep a maximum length. Their numbers are stored.
const (
	DropHead         Overflow = 0 // the first messages make room, dead with TooMany
	RefusePublish    Overflow = 1 // the publish is refused
	DeadLetterRefuse Overflow = 2 // the same, and the message is dead with TooMany
)

// DeadLetter is where dead messages go.
type DeadLetter struct {
	Set     bool
	Address string // of Namespace
	Key     string // if OwnKey
	OwnKey  bool   // false: messages keep their keys
	// Namespace is another one, of the same domain; zero: the queue's own. What is on
	// its way when that namespace is deleted is dropped and counted (Stats.Lost).
	Namespace NamespaceID
	// KeepTime lets retention count from when the message came to this queue, or to one
	// before it that kept the time, instead of from its death.
	KeepTime bool
	// Rounds lets a message come to a queue in which it died before. Without it a circle
	// ends there, unless somebody rejects the message. Then only what was released too often
	// or rejected becomes a dead letter, or circles would turn by themselves.
	Rounds bool
}

// stored reports whether the queue and its durable messages survive a restart.
func (s *QueueSpec) stored() bool { return s.Durable && !s.Exclusive }

// Binding leads messages from an address to a queue, or to another address, which
// routes them by the same key. All fields but the last two together identify it.
type Binding struct {
	Source    string // name of the address
	Queue     string // name of the queue
	Address   string // instead of Queue: name of the address that it leads to
	Key       string
	Arguments []byte // opaque

	// Of a binding that exists:
	Kind AddressKind // of Source
	Memo *Memo
}
