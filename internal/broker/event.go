package broker

import "strconv"

// EventKind says what an Event reports.
type EventKind uint8

// The kinds of events.
const (
	// Published: the publishing with this Tag is as durable as its targets can
	// make it, or Err says why it was refused. These come in the order of Publish.
	Published EventKind = iota + 1
	// Delivered: Delivery was assigned to a consumer and may be sent.
	Delivered
	// Cancelled: the broker ended Consumer, because its queue was deleted (Err is
	// nil) or cannot be read (Err).
	Cancelled
	// Synced: everything the session asked for before Sync(Tag) is durable.
	Synced
	// Activated: Consumer, which asked for it, became active.
	Activated
	// Committed: the transaction with this Tag is durable, or Err says why nothing
	// of it was done.
	Committed
	// Drained: Consumer, for which Session.Drain asked, got all that there was for
	// it, and Tag credit was taken from it.
	Drained
)

// Event is one thing a session's connection has to tell its peer.
type Event struct {
	Kind EventKind
	Tag  uint64 // Published, Synced, Committed: the caller's; Drained: credit
	// Published, to one queue: the message there, which is an earlier one of the same
	// Message.Dedup if Duplicate; then this one was not stored.
	MessageID [16]byte
	Sequence  uint64 // of the message in its queue, from 1; if delayed, on arrival
	Duplicate bool
	Err       error     // Published, Cancelled, Synced, Committed
	Consumer  *Consumer // Delivered, Cancelled, Activated, Drained
	Delivery  Delivery  // Delivered
}

// DeliveryRef names an unsettled delivery within its session. The zero value
// names none. It is comparable; a stale one is ignored.
type DeliveryRef struct{ slot, gen uint32 }

// Delivery is a message on its way to a peer. It is valid until settled; Record
// is shared with others and must not be changed.
type Delivery struct {
	Ref         DeliveryRef
	Consumer    uint64 // ConsumerSpec.Ref; 0 from Get
	Queue       *Queue
	Redelivered bool   // it may have been delivered before
	Count       uint32 // earlier deliveries that came back, as far as that is known
	Address     string // as in the publish
	Key         string
	Group       string
	History     *History // nil: it never died; not to be changed
	Record      []byte   // sealed; open it with Namespace.OpenDelivery
	Size        int      // bytes of the plaintext, for sizing OpenDelivery's dst
	Enqueued    int64    // domain time at which it came to the queue, in milliseconds
	Sequence    uint64   // in the queue; Event.Sequence, if Message.Delay was not set

	// From Receive: it counts as Count+1 receives.
	Lease    LeaseRef
	LeasedAt int64 // shard time of the receive, in milliseconds
	Received int64 // likewise of the first one
	Again    bool  // the receive was made again: somebody may have the reference already

	session *Session
	epoch   uint32 // Returns of the session that the owner knew of
	auto    bool   // settled by OpenDelivery
	apart   *apart // nil: all is in Record
}

// Outcome is what became of a delivery.
type Outcome uint8

// The outcomes.
const (
	Accept  Outcome = iota + 1 // processed: the message is removed
	Release                    // back to its place, marked redelivered
	Reject                     // refused: the message is removed

	giveBack Outcome = 0xff // Return: back to its place as if never taken
)

// String is what became of the message; the number, when nothing did.
func (o Outcome) String() string {
	switch o {
	case Accept:
		return "accepted"
	case Release:
		return "released"
	case Reject:
		return "rejected"
	}
	return strconv.Itoa(int(o))
}

// Settlement ends a delivery.
type Settlement struct {
	Ref     DeliveryRef
	Outcome Outcome
	auto    bool // OpenDelivery did it
	// Delay is how long a released message is kept from everybody, in milliseconds
	// of shard time. It keeps its place.
	Delay int64
	// Uncounted: a release counts neither in Delivery.Count nor against
	// Limits.Deliveries.
	Uncounted bool
}
