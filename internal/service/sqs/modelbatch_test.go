package sqs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// The codes of refused handles.
const (
	badHandle   = "ReceiptHandleIsInvalid"
	badValueOf  = "InvalidParameterValue"
	notInflight = "AWS.SimpleQueueService.MessageNotInflight"
)

// foreseen are the codes that a request may be answered with; empty: it succeeds. Mostly
// it is one.
type foreseen []string

func (f foreseen) check(rt *rapid.T, what any, code string) {
	if !slices.Contains(f, code) {
		rt.Fatalf("%v was answered %q, want %q", what, code, []string(f))
	}
}

// handle draws a handle of the queue, mostly one that counts, and the message it is of; nil
// when it is no handle.
func (m *model) handle(rt *rapid.T, q *modelQueue) (x *modelMessage, handle string) {
	var held, all []*modelMessage
	for _, y := range q.list {
		if y.leased {
			held = append(held, y)
		}
		if len(y.handles) > 0 {
			all = append(all, y)
		}
	}
	all = append(all, q.gone...)
	switch kind := rapid.IntRange(0, 9).Draw(rt, "kind"); {
	case kind > 3 && len(held) > 0:
		x = rapid.SampledFrom(held).Draw(rt, "message")
		return x, x.last()
	case kind > 0 && len(all) > 0:
		x = rapid.SampledFrom(all).Draw(rt, "message")
		return x, rapid.SampledFrom(x.handles).Draw(rt, "handle")
	}
	return nil, "nonsense"
}

// deletion draws a request to delete, and does in the model what comes of it.
func (m *model) deletion(rt *rapid.T, q *modelQueue) (object, foreseen) {
	x, handle := m.handle(rt, q)
	if x != nil && !q.fifo && !x.leased && x.life != m.life && slices.Contains(q.list, x) {
		x, handle = nil, "nonsense" // a start may have forgotten the receipt
	}
	in := object{"ReceiptHandle": handle}
	switch {
	case x == nil:
		return in, foreseen{badHandle}
	case !slices.Contains(q.list, x) && q.fifo && x.life != m.life:
		return in, foreseen{"", badValueOf}
	case !slices.Contains(q.list, x):
		return in, foreseen{""}
	case handle == x.last() && (x.leased || !q.fifo):
		q.remove(x)
		return in, foreseen{""}
	case q.fifo:
		return in, foreseen{badValueOf}
	}
	return in, foreseen{""} // it was received again since
}

// changing draws a request for another visibility timeout, likewise.
func (m *model) changing(rt *rapid.T, q *modelQueue) (object, foreseen) {
	x, handle := m.handle(rt, q)
	to := rapid.SampledFrom([]int{0, 10, 60, 43201}).Draw(rt, "to")
	in := object{"ReceiptHandle": handle, "VisibilityTimeout": to}
	switch {
	case to > 43200:
		return in, foreseen{badValueOf}
	case x == nil:
		return in, foreseen{badHandle}
	case !slices.Contains(q.list, x) && x.life != m.life:
		return in, foreseen{badValueOf, notInflight}
	case !slices.Contains(q.list, x):
		return in, foreseen{badValueOf}
	case !x.leased || handle != x.last():
		return in, foreseen{notInflight}
	}
	x.attempt, x.until = nil, m.now().Add(time.Duration(to)*time.Second)
	if to == 0 {
		m.back(q, x)
	}
	return in, foreseen{""}
}

// request draws a request about a handle.
type request func(*rapid.T, *modelQueue) (object, foreseen)

func (m *model) one(rt *rapid.T, operation string, draw request) {
	m.lapse()
	q := m.queue(rt)
	in, want := draw(rt, q)
	in["QueueUrl"] = q.url
	_, why := m.w.try("ROOT", operation, in)
	code, _, _ := strings.Cut(why, ": ")
	want.check(rt, in, code)
	m.lapse()
}

func (m *model) many(rt *rapid.T, operation string, draw request) {
	m.lapse()
	q := m.queue(rt)
	var entries []object
	var wants []foreseen
	for i := range rapid.IntRange(1, 6).Draw(rt, "entries") {
		in, want := draw(rt, q)
		in["Id"] = strconv.Itoa(i)
		entries, wants = append(entries, in), append(wants, want)
	}
	codes := codesOf(rt, m.w.do(operation, object{"QueueUrl": q.url, "Entries": entries}))
	for i, want := range wants {
		want.check(rt, entries[i], codes[strconv.Itoa(i)])
	}
	if len(codes) != len(entries) {
		rt.Fatalf("%s of %d entries answers %d", operation, len(entries), len(codes))
	}
	m.lapse()
}

// codesOf gives the codes of a batch's entries by their ids; empty for those that succeeded.
func codesOf(rt *rapid.T, out object) map[string]string {
	codes := map[string]string{}
	for _, list := range []string{"Successful", "Failed"} {
		for _, x := range out[list].([]any) {
			e := x.(object)
			id := fmt.Sprint(e["Id"])
			if _, twice := codes[id]; twice {
				rt.Fatalf("entry %s is answered twice", id)
			}
			code, _ := e["Code"].(string)
			codes[id] = code
		}
	}
	return codes
}

func (m *model) delete(rt *rapid.T)      { m.one(rt, "DeleteMessage", m.deletion) }
func (m *model) deleteBatch(rt *rapid.T) { m.many(rt, "DeleteMessageBatch", m.deletion) }
func (m *model) change(rt *rapid.T)      { m.one(rt, "ChangeMessageVisibility", m.changing) }

func (m *model) changeBatch(rt *rapid.T) {
	m.many(rt, "ChangeMessageVisibilityBatch", m.changing)
}

// sendBatch sends messages, of which some cannot be taken.
func (m *model) sendBatch(rt *rapid.T) {
	q := m.main(rt)
	var list []*modelMessage
	var entries []object
	for i := range rapid.IntRange(1, 6).Draw(rt, "entries") {
		x, in := m.message(rt, q)
		in["Id"] = strconv.Itoa(i)
		if rapid.IntRange(0, 4).Draw(rt, "bad") == 0 {
			x, in["DelaySeconds"] = nil, 901
		}
		list, entries = append(list, x), append(entries, in)
	}
	out := m.w.do("SendMessageBatch", object{"QueueUrl": q.url, "Entries": entries})
	codes := codesOf(rt, out)
	for i, x := range list {
		want := foreseen{""}
		if x == nil {
			want = foreseen{badValueOf}
		}
		want.check(rt, entries[i], codes[strconv.Itoa(i)])
	}
	for _, o := range out["Successful"].([]any) {
		e := o.(object)
		i, err := strconv.Atoi(e["Id"].(string))
		must(m.w.t, err)
		m.stored(rt, q, list[i], entries[i], e["MessageId"].(string))
	}
}
