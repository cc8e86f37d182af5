package embedded

import "github.com/cockroachdb/pebble/v2"

// maxClosing bounds the snapshots that wait to be closed; who closes one more does it
// itself.
const maxClosing = 256

// closer closes snapshots of Pebble for those who are done with them. Pebble may look for a
// compaction then, and wait for one that writes its list of files to the disk: a reader
// must not, since one of them may be about to take a key away.
type closer struct {
	queue chan *pebble.Snapshot
	done  chan struct{}
}

func newCloser() *closer {
	c := &closer{queue: make(chan *pebble.Snapshot, maxClosing), done: make(chan struct{})}
	go c.run()
	return c
}

func (c *closer) run() {
	defer close(c.done)
	for s := range c.queue {
		_ = s.Close() // has no error
	}
}

// take closes a snapshot, now or soon. A nil closer, of an inspection, does it now.
func (c *closer) take(s *pebble.Snapshot) error {
	if c == nil {
		return s.Close()
	}
	select {
	case c.queue <- s:
		return nil
	default:
		return s.Close()
	}
}

// end closes what waits. No snapshot is taken afterwards.
func (c *closer) end() {
	close(c.queue)
	<-c.done
}
