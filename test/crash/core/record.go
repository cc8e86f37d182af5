package core

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Kind says what a Record tells. Those that end in -ing are written before
// something is asked for, the others when it was answered.
type Kind string

// The kinds of records.
const (
	Opened     Kind = "opened"     // the process has the directory open
	Sending    Kind = "sending"    // ID with the facts of a message, to To
	Confirmed  Kind = "confirmed"  // IDs are stored
	Refused    Kind = "refused"    // IDs are not
	Repeated   Kind = "repeated"   // IDs are not, because another with their Dedup is
	Asking     Kind = "asking"     // Taker may get N messages of Queue from now on
	Answered   Kind = "answered"   // what was asked at Asked gives no more
	Unopened   Kind = "unopened"   // N messages of Queue came that could not be opened
	Got        Kind = "got"        // Taker has ID of Queue, asked for at Asked
	Accepting  Kind = "accepting"  // IDs of Queue
	Rejecting  Kind = "rejecting"  // IDs of Queue
	Releasing  Kind = "releasing"  // IDs of Queue
	Settled    Kind = "settled"    // IDs of Queue are accepted or rejected
	Released   Kind = "released"   // IDs of Queue went back; others may have them by now
	Unsettled  Kind = "unsettled"  // IDs of Queue were not under this lease any more
	Extending  Kind = "extending"  // the leases of IDs of Queue to Span from now
	Extended   Kind = "extended"   // so it was done
	Leaving    Kind = "leaving"    // Taker gives back what it holds of Queue
	Left       Kind = "left"       // it did
	Committing Kind = "committing" // Tx with acceptances of IDs of Queue
	Committed  Kind = "committed"  // Tx
	Aborted    Kind = "aborted"    // Tx was refused
	Purging    Kind = "purging"    // all that waits in Queue
	Purged     Kind = "purged"     // that is done
	Locking    Kind = "locking"    // the domain
	Unlocked   Kind = "unlocked"   // the domain
	Empty      Kind = "empty"      // Queue is, as the broker says; it was drained
	Drained    Kind = "drained"    // all is done
	Found      Kind = "found"      // Text should not be
)

// ID names a message: publisher (upper half) and its count from 1 (lower half).
type ID uint64

func newID(publisher uint32, seq uint32) ID { return ID(publisher)<<32 | ID(seq) }

// Publisher is who sent it.
func (id ID) Publisher() uint32 { return uint32(id >> 32) }

func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Publisher(), uint32(id)) }

// Facts are what decides about a message, and where it goes.
type Facts struct {
	To       []string `json:",omitempty"`
	Durable  bool     `json:",omitempty"`
	Priority uint8    `json:",omitempty"`
	Group    string   `json:",omitempty"`
	Expiry   int64    `json:",omitempty"` // milliseconds; 0: none
	Delay    int64    `json:",omitempty"` // milliseconds
	Dedup    string   `json:",omitempty"`
	Tx       int      `json:",omitempty"` // transaction; 0: none
}

// Record is one thing that the outside of the core knows.
type Record struct {
	Kind  Kind
	At    int64  // when it was written, in milliseconds
	Queue string `json:",omitempty"`
	ID    ID     `json:",omitempty"`
	IDs   []ID   `json:",omitempty"`
	Facts

	Taker       int    `json:",omitempty"` // a consumer or call; never used again in a life
	Asked       int    `json:",omitempty"` // number of an Asking record, in its life
	N           int    `json:",omitempty"`
	Drains      bool   `json:",omitempty"` // Taker takes all of Queue, alone
	Redelivered bool   `json:",omitempty"`
	Count       int    `json:",omitempty"`
	Span        int64  `json:",omitempty"` // of a lease, in milliseconds
	Reason      int    `json:",omitempty"` // of the last death
	Text        string `json:",omitempty"`
}

// maxRecord bounds the bytes of a record: a pipe takes so much as a whole.
const maxRecord = 4096

// journal takes the records of one life, in order.
type journal struct {
	mu    sync.Mutex
	write func(Record)
	count int
	taker int
}

// note writes a record and gives its number in this life.
func (j *journal) note(r Record) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.At = time.Now().UnixMilli()
	j.write(r)
	j.count++
	return j.count
}

// toPipe writes records to the pipe that leads to the parent. What is written
// there survives the process. Without a parent it ends the process.
func toPipe(file *os.File) func(Record) {
	return func(r Record) {
		line, err := json.Marshal(&r)
		if err == nil && len(line) >= maxRecord {
			err = fmt.Errorf("record of %d bytes", len(line))
		}
		if err == nil {
			_, err = file.Write(append(line, '\n'))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "journal:", err)
			os.Exit(3)
		}
	}
}

// found writes a finding.
func (j *journal) found(format string, args ...any) {
	j.note(Record{Kind: Found, Text: fmt.Sprintf(format, args...)})
}

// newTaker gives the number of a consumer or call.
func (j *journal) newTaker() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.taker++
	return j.taker
}
