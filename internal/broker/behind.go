package broker

// Consumers are behind when they take messages out of a queue that is long. What they
// wait for, the marks of their deliveries, must then not stand behind all that
// publishers have sent: little of that is put before it. So the consumers of a queue
// outrun its publishers until it is short, and the publishers wait at their window.
// Nobody waits for a consumer: one that takes little makes few batches small.
const (
	longCount      = 1024      // messages that wait, at which a queue is long
	longBytes      = 4 << 20   // or bytes of their bodies
	sparing        = 8         // batches for which consumers count as behind
	sparePublished = 128 << 10 // bytes published in batches that are not durable, meanwhile
)

// noteBehind notes a delivery out of q that waits for the open batch.
func (sh *shard) noteBehind(q *Queue) {
	if q.ready.Load() >= longCount || q.state.body >= longBytes {
		sh.behind = sh.batch.index
	}
}

// sated reports whether no more is published in the open batch.
func (sh *shard) sated() bool {
	return sh.full() || sh.published >= sparePublished && sh.err == nil &&
		sh.behind > 0 && sh.batch.index-sh.behind < sparing
}
