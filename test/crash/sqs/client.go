package sqs

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"coffer/test/apiclient"
)

// client is one connection of a round, which notes what it does and is told. An error is
// no answer; what the server refuses is one only where it says so.
type client struct {
	api *apiclient.Client
	ctx context.Context
	h   *history
}

type object = map[string]any

// call makes a call and gives when it began and was answered.
func (c *client) call(operation string, in, out any) (s span, err error) {
	s.begin = time.Now()
	if err = c.api.SQS(c.ctx, operation, in, out); err == nil {
		s.end = time.Now()
	}
	return s, err
}

// refusal reports whether an error is an answer that contains a text.
func refusal(err error, text string) bool {
	answer, ok := errors.AsType[*apiclient.Error](err)
	return ok && strings.Contains(answer.Text, text)
}

// filler makes messages as long as others' are.
const filler = "................................................................" +
	"................................................................"

// entry is a message as SendMessage and its batch have it.
func (m *message) entry() object {
	in := object{"MessageBody": m.key + " " + filler}
	if m.group != "" {
		in["MessageGroupId"] = m.group
	}
	if m.queue.fifo {
		in["MessageDeduplicationId"] = m.key
	}
	if m.delay > 0 {
		in["DelaySeconds"] = int(m.delay / time.Second)
	}
	return in
}

// sentMessage is what an answer says of a message.
type sentMessage struct{ ID, MessageID, SequenceNumber string }

// send sends a message, or sends it again.
func (c *client) send(m *message) error {
	in := m.entry()
	in["QueueUrl"] = m.queue.url
	var out sentMessage
	s, err := c.call("SendMessage", in, &out)
	c.h.sentAs(m, s, out.MessageID, out.SequenceNumber)
	return err
}

// sendAll sends messages in one request.
func (c *client) sendAll(list []*message) error {
	var entries []object
	for i, m := range list {
		e := m.entry()
		e["Id"] = strconv.Itoa(i)
		entries = append(entries, e)
	}
	var out struct{ Successful []sentMessage }
	in := object{"QueueUrl": list[0].queue.url, "Entries": entries}
	s, err := c.call("SendMessageBatch", in, &out)
	told := map[string]sentMessage{}
	for _, x := range out.Successful {
		told[x.ID] = x
	}
	for i, m := range list {
		x, ok := told[strconv.Itoa(i)]
		if err == nil && !ok {
			c.h.find("%s was refused", m.key)
		}
		c.h.sentAs(m, s, x.MessageID, x.SequenceNumber)
	}
	return err
}

// repeat sends another body under the deduplication id of a message that was answered:
// that must not be stored, and answered as the first was.
func (c *client) repeat(m *message) error {
	in := m.entry()
	in["QueueUrl"], in["MessageBody"] = m.queue.url, m.key+"-repeated "+filler
	var out sentMessage
	s, err := c.call("SendMessage", in, &out)
	if err == nil {
		c.h.sentAs(m, s, out.MessageID, out.SequenceNumber)
	}
	return err
}

// receive takes up to most messages for a time and waits for the first as long as wait.
func (c *client) receive(
	q *queue, most int, visibility, wait time.Duration,
) ([]*take, error) {
	var out struct {
		Messages []struct {
			MessageID, ReceiptHandle, Body string
			Attributes                     map[string]string
		}
	}
	s, err := c.call("ReceiveMessage", object{
		"QueueUrl": q.url, "MaxNumberOfMessages": most,
		"WaitTimeSeconds":             int(wait / time.Second),
		"VisibilityTimeout":           int(visibility / time.Second),
		"MessageSystemAttributeNames": []string{"All"},
	}, &out)
	if err != nil {
		c.h.missed(q)
		return nil, err
	}
	var list []received
	for _, m := range out.Messages {
		key, rest, _ := strings.Cut(m.Body, " ")
		if rest != filler {
			key = m.Body
		}
		count, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		if err != nil {
			return nil, err
		}
		list = append(list, received{
			key: key, id: m.MessageID, handle: m.ReceiptHandle, count: count,
			number: m.Attributes["SequenceNumber"], group: m.Attributes["MessageGroupId"],
		})
	}
	return c.h.took(q, s, visibility, list), nil
}

// expired is what a FIFO queue says to who deletes too late.
const expired = "The receipt handle has expired"

// delete deletes what was taken.
func (c *client) delete(t *take) error {
	d := c.h.deleting(t, time.Now())
	s, err := c.call("DeleteMessage",
		object{"QueueUrl": t.queue.url, "ReceiptHandle": t.handle}, nil)
	switch {
	case err == nil:
		c.h.deleted(t, d, s.end)
	case refusal(err, expired):
		c.h.refused(t, d)
		err = nil
	}
	return err
}

// deleteAll deletes what was taken in one request.
func (c *client) deleteAll(takes []*take) error {
	var entries []object
	var spans []*span
	for i, t := range takes {
		entries = append(entries, object{"Id": strconv.Itoa(i), "ReceiptHandle": t.handle})
		spans = append(spans, c.h.deleting(t, time.Now()))
	}
	var out struct {
		Successful []struct{ ID string }
		Failed     []struct{ ID, Message string }
	}
	s, err := c.call("DeleteMessageBatch",
		object{"QueueUrl": takes[0].queue.url, "Entries": entries}, &out)
	if err != nil {
		return err
	}
	for _, x := range out.Successful {
		if i, _ := strconv.Atoi(x.ID); i < len(takes) {
			c.h.deleted(takes[i], spans[i], s.end)
		}
	}
	for _, x := range out.Failed {
		if i, _ := strconv.Atoi(x.ID); i < len(takes) && strings.Contains(x.Message, expired) {
			c.h.refused(takes[i], spans[i])
		}
	}
	return nil
}

// change sets another visibility timeout. Who is too late is told so.
func (c *client) change(t *take, to time.Duration) error {
	begin := time.Now()
	c.h.changing(t, begin, to)
	_, err := c.call("ChangeMessageVisibility", object{
		"QueueUrl": t.queue.url, "ReceiptHandle": t.handle,
		"VisibilityTimeout": int(to / time.Second),
	}, nil)
	switch {
	case err == nil:
		c.h.changed(t, begin, to)
	case refusal(err, "MessageNotInflight"), refusal(err, "InvalidParameterValue"):
		err = nil
	}
	return err
}

// holds tells how many messages a queue has, of whatever kind.
func (c *client) holds(q *queue) (n int, err error) {
	names := []string{
		"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
		"ApproximateNumberOfMessagesDelayed",
	}
	var out struct{ Attributes map[string]string }
	_, err = c.call("GetQueueAttributes",
		object{"QueueUrl": q.url, "AttributeNames": names}, &out)
	for _, name := range names {
		if err == nil {
			var more int
			more, err = strconv.Atoi(out.Attributes[name])
			n += more
		}
	}
	return n, err
}
