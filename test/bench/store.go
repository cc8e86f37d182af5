package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// What the broker adds to a message of bodySize where it is stored, and how it
// fills batches: each message is inserted, envelope and record, and deleted lag
// messages later, and each batch has a record of every queue.
const (
	envelopeSize   = 90
	recordOverhead = 90
	recordSize     = 70
	batchMessages  = 400
	lag            = 4000
)

// raw is the store alone, under the load that the broker makes of messages.
type raw struct {
	engine *embedded.Engine
	shard  store.Shard
	record []byte // of a message
	next   uint64
	pool   sync.Pool
}

// openRaw opens a store in an empty directory.
func openRaw(ctx context.Context, dir string, body []byte) (*raw, error) {
	e, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	r := &raw{engine: e, record: append(make([]byte, recordOverhead), body...)}
	r.pool.New = func() any { return &store.Batch{} }
	r.shard, err = e.Open(ctx, 1)
	return r, err
}

// run stores n messages and returns when all are durable.
func (r *raw) run(n int) error {
	var work sync.WaitGroup
	var first error // of the store's goroutine until work is done
	envelope, queue := make([]byte, envelopeSize), make([]byte, recordSize)
	for done := 0; done < n; {
		b := r.pool.Get().(*store.Batch)
		b.Reset()
		for range min(batchMessages, n-done) {
			var key [17]byte
			b.InsertJoined(rawKey(&key, r.next), envelope, r.record)
			if r.next >= lag {
				b.Delete(rawKey(&key, r.next-lag))
			}
			r.next++
			done++
		}
		for q := range pairs {
			b.Set([]byte{1, byte(q)}, queue)
		}
		work.Add(1)
		r.shard.Propose(b, func(_ store.Position, err error) {
			if err != nil && first == nil {
				first = fmt.Errorf("store: %w", err)
			}
			r.pool.Put(b)
			work.Done()
		})
	}
	work.Wait()
	return first
}

// rawKey makes a key as long as the broker's: class, queue, sequence.
func rawKey(key *[17]byte, n uint64) []byte {
	key[0] = 0x10
	binary.BigEndian.PutUint64(key[1:], n%pairs)
	binary.BigEndian.PutUint64(key[9:], n)
	return key[:]
}
