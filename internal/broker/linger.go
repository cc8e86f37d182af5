package broker

import "time"

// lingerTime is how long effects that nobody waits for wait for others to share their
// sync: those of the next publish, as a rule. A message that comes alone would else
// find the store busy with the settlement of the one before.
const lingerTime = time.Millisecond

// lingers reports whether the open batch is not closed yet though it could be. The
// owner comes back when its time is over.
func (sh *shard) lingers() bool {
	b := sh.batch
	switch {
	case b.wanted, len(b.releases) > 0, len(b.parcels) > 0, len(b.list) > 0:
		return false // somebody waits for it
	case len(sh.wanting) > 0, len(sh.ripe) > 0:
		return false // a read does: it begins behind the batch
	case sh.full(), sh.stopping != nil:
		return false
	case b.Len() == 0 && len(b.dirty) == 0:
		return false
	}
	now := time.Now()
	if b.lingers.IsZero() {
		b.lingers = now
		sh.linger.Reset(lingerTime)
	}
	return now.Sub(b.lingers) < lingerTime
}
