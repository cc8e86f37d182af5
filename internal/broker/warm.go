package broker

import "sync"

// warm holds the parts of messages that were published lately to queues with consumers,
// which are likely to want them at once. What came first leaves first, and is read from
// the store. The owner puts, doors get.
type warm struct {
	mu    sync.Mutex
	parts map[bodyID][][]byte
	order ring[bodyID] // as they came; those that were dropped may be in it
	bytes int64
	max   int64
}

func (w *warm) open(max int64) {
	w.max, w.parts = max, map[bodyID][][]byte{}
}

// put keeps parts, which never change.
func (w *warm) put(id bodyID, parts [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.parts[id]; ok {
		return
	}
	w.parts[id] = parts
	w.bytes += lengthOf(parts)
	w.order.pushBack(id)
	for w.bytes > w.max || w.order.len() > 2*len(w.parts) {
		w.remove(w.order.popFront())
	}
}

// get gives parts, or nil.
func (w *warm) get(id bodyID) [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts[id]
}

func (w *warm) drop(id bodyID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(id)
}

// remove holds mu, as its callers do.
func (w *warm) remove(id bodyID) {
	w.bytes -= lengthOf(w.parts[id])
	delete(w.parts, id)
}

func lengthOf(parts [][]byte) (n int64) {
	for _, p := range parts {
		n += int64(len(p))
	}
	return n
}
