package sqs

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
)

// How much of messages came and went, as S3's data events call it.
const (
	bytesIn  = "bytesTransferredIn"
	bytesOut = "bytesTransferredOut"
)

// tally gathers what the event of an operation tells of messages: which they were, how
// long, and which entries of a batch failed. Nil is one that nobody will see.
type tally struct {
	call    *gateway.Call
	ids     []string
	sizes   []int                // in bytes, of each id, or none
	entries map[string]uuid.UUID // of a batch, whose message is known
	refused []map[string]any
}

func tallyOf(ctx context.Context) *tally {
	if call := gateway.From(ctx); call.Recorded() {
		return &tally{call: call, ids: []string{}}
	}
	return nil
}

// done is a message that came or went.
func (t *tally) done(id string, size int) {
	if t != nil {
		t.ids, t.sizes = append(t.ids, id), append(t.sizes, size)
	}
}

// named is a message of which only the id is known.
func (t *tally) named(id uuid.UUID) {
	if t != nil {
		t.ids = append(t.ids, id.String())
	}
}

// entry tells which message an entry of a batch is about.
func (t *tally) entry(id string, message uuid.UUID) {
	if t == nil || message == uuid.Nil {
		return
	}
	if t.entries == nil {
		t.entries = map[string]uuid.UUID{}
	}
	t.entries[id] = message
}

// settled is an entry that did what it should.
func (t *tally) settled(entry string) {
	if t != nil {
		t.named(t.entries[entry])
	}
}

// failed are the entries of a batch that did not.
func (t *tally) failed(list []api.BatchResultErrorEntry) {
	if t == nil {
		return
	}
	for i := range list {
		e := &list[i]
		m := map[string]any{"id": e.Id, "errorCode": e.Code,
			"httpStatus": http.StatusInternalServerError}
		if e.SenderFault {
			m["httpStatus"] = http.StatusBadRequest
		}
		if id := t.entries[e.Id]; id != uuid.Nil {
			m["messageId"] = id.String()
		}
		t.refused = append(t.refused, m)
	}
}

// tell puts the tally into the event; direction names the bytes, if there are any.
func (t *tally) tell(direction string) {
	if t == nil {
		return
	}
	t.call.AddEventData("messageIds", t.ids)
	if direction != "" {
		total := 0
		for _, n := range t.sizes {
			total += n
		}
		t.call.AddEventData(direction, total)
	}
	if len(t.sizes) > 0 {
		t.call.AddEventData("messageBytes", t.sizes)
	}
	if len(t.refused) > 0 {
		t.call.AddEventData("failedEntries", t.refused)
	}
}
