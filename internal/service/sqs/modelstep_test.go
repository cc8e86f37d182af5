package sqs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// main draws one of the queues that messages are sent to.
func (m *model) main(rt *rapid.T) *modelQueue {
	return m.queues[2*rapid.IntRange(0, 1).Draw(rt, "fifo")]
}

// message draws a message, and how it is sent.
func (m *model) message(rt *rapid.T, q *modelQueue) (x *modelMessage, in object) {
	m.sent++
	x = &modelMessage{body: strconv.Itoa(m.sent), enqueued: m.now(), due: m.now()}
	in = object{"MessageBody": x.body}
	if q.fifo {
		x.group = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "group")
		in["MessageGroupId"] = x.group
		in["MessageDeduplicationId"] = rapid.SampledFrom([]string{x.body, x.body, "same"}).
			Draw(rt, "id")
		return x, in
	}
	delay := rapid.SampledFrom([]int{0, 0, 5}).Draw(rt, "delay")
	in["DelaySeconds"], x.due = delay, m.now().Add(time.Duration(delay)*time.Second)
	return x, in
}

// stored puts a message into the model that was sent, unless an earlier one has its id.
func (m *model) stored(rt *rapid.T, q *modelQueue, x *modelMessage, in object, id string) {
	if q.fifo {
		dedup := in["MessageDeduplicationId"].(string)
		if old, ok := q.ids[dedup]; ok && m.now().Before(old.end) {
			if id != old.id {
				rt.Fatalf("%q was sent again as %s, want %s", dedup, id, old.id)
			}
			return
		}
		q.ids[dedup] = sighted{id, m.now().Add(dedupWindow)}
	}
	q.list = append(q.list, x)
}

func (m *model) send(rt *rapid.T) {
	q := m.main(rt)
	x, in := m.message(rt, q)
	in["QueueUrl"] = q.url
	m.stored(rt, q, x, in, m.w.do("SendMessage", in)["MessageId"].(string))
}

func (m *model) receive(rt *rapid.T) {
	q := m.queue(rt)
	m.agree(q)
	most := rapid.IntRange(1, 10).Draw(rt, "most")
	lease := rapid.SampledFrom([]int{1, 5, 15, 30, 30, 700}).Draw(rt, "visibility")
	in := object{"MaxNumberOfMessages": most, "VisibilityTimeout": lease,
		"AttributeNames": []string{"All"}}
	until := m.now().Add(time.Duration(lease) * time.Second)
	attempt := rapid.SampledFrom([]string{"", "", "first", "second"}).Draw(rt, "attempt")
	if attempt != "" {
		in["ReceiveRequestAttemptId"] = attempt
		if q.fifo && m.receiveAgain(rt, q, attempt, in, until) {
			return
		}
	}
	free := m.free(q)
	got := m.w.receive(q.url, in)
	if len(got) == 0 && len(free) > 0 { // a dead letter that comes, behind one that expired
		m.w.until(func() bool {
			got = m.w.receive(q.url, in)
			return len(got) > 0
		})
	}
	if len(got) > min(most, len(free)) {
		rt.Fatalf("%s gave %q of %d", q.name, texts(got), len(free))
	}
	a := &modelAttempt{m.now(), len(got)}
	if q.attempts[attempt] = a; attempt == "" || !q.fifo || len(got) == 0 {
		delete(q.attempts, attempt)
		a = nil
	}
	for _, g := range got {
		i := slices.IndexFunc(free, func(x *modelMessage) bool {
			return x.body == g["Body"] || q.fifo && x.group == groupOf(g)
		})
		if i < 0 || free[i].body != g["Body"] {
			rt.Fatalf("%s gave %q out of turn", q.name, g["Body"])
		}
		x := free[i]
		free = slices.Delete(free, i, i+1)
		x.leased, x.until, x.life, x.attempt = true, until, m.life, a
		x.count++
		x.handles = append(x.handles, g["ReceiptHandle"].(string))
		x.counted(rt, g)
	}
}

// counted checks the count of a message as it was received.
func (x *modelMessage) counted(rt *rapid.T, g object) {
	if n := g["Attributes"].(object)["ApproximateReceiveCount"]; n != strconv.Itoa(x.count) {
		rt.Fatalf("%q was received %v times, want %d", x.body, n, x.count)
	}
}

// last is the handle that counts.
func (x *modelMessage) last() string { return x.handles[len(x.handles)-1] }

// receiveAgain makes a receive again, if it can be known under its id.
func (m *model) receiveAgain(
	rt *rapid.T, q *modelQueue, id string, in object, until time.Time,
) bool {
	a := q.attempts[id]
	if a == nil || !m.now().Before(a.at.Add(5*time.Minute)) {
		return false
	}
	var left []*modelMessage
	for _, x := range q.list {
		if x.attempt == a {
			left = append(left, x)
		}
	}
	switch {
	case len(left) == 0:
		return false
	case len(left) < a.size:
		in["QueueUrl"] = q.url
		if _, why := m.w.try("ROOT", "ReceiveMessage", in); !strings.Contains(why, unretryable) {
			rt.Fatalf("an attempt with %d of %d messages left: %q", len(left), a.size, why)
		}
		return true
	}
	got := m.w.receive(q.url, in)
	if len(got) != len(left) {
		rt.Fatalf("again came %q of %d", texts(got), len(left))
	}
	for i, x := range left {
		if got[i]["Body"] != x.body || got[i]["ReceiptHandle"] != x.last() {
			rt.Fatalf("again came %q, want %q", got[i]["Body"], x.body)
		}
		x.counted(rt, got[i])
		x.until = until
	}
	return true
}

func groupOf(message object) string {
	group, _ := message["Attributes"].(object)["MessageGroupId"].(string)
	return group
}

func (m *model) pass(rt *rapid.T) {
	m.w.pass(time.Duration(rapid.IntRange(1, 20).Draw(rt, "seconds")) * time.Second)
	m.lapse()
	for _, q := range m.queues {
		m.agree(q) // before time goes on: who dies does so now
	}
}

func (m *model) delay(rt *rapid.T) {
	q := m.queues[2]
	n := rapid.SampledFrom([]int{0, 5}).Draw(rt, "seconds")
	q.delay = time.Duration(n) * time.Second
	m.w.do("SetQueueAttributes", object{
		"QueueUrl": q.url, "Attributes": object{"DelaySeconds": strconv.Itoa(n)},
	})
}

// move brings dead letters back.
func (m *model) move(rt *rapid.T) {
	q := m.queues[1+2*rapid.IntRange(0, 1).Draw(rt, "fifo")]
	if m.agree(q); q.over > 0 {
		return
	}
	free := m.free(q)
	m.w.do("StartMessageMoveTask", object{"SourceArn": arnPrefix + q.name})
	m.w.ended(q.name, completed)
	for _, x := range free {
		q.remove(x)
		y := &modelMessage{body: x.body, group: x.group, enqueued: m.now(), due: m.now()}
		q.source.list = append(q.source.list, y)
	}
	m.agree(q.source)
}

func (m *model) purge(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "really") > 0 {
		return
	}
	q := m.queue(rt)
	if m.agree(q); q.over > 0 {
		return
	}
	_, why := m.w.try("ROOT", "PurgeQueue", object{"QueueUrl": q.url})
	if m.now().Sub(q.purged) < time.Minute {
		if !strings.HasPrefix(why, "AWS.SimpleQueueService.PurgeQueueInProgress") {
			rt.Fatalf("a purge within a minute: %q", why)
		}
		return
	}
	if why != "" {
		rt.Fatalf("purge: %s", why)
	}
	q.purged = m.now()
	for len(q.list) > 0 {
		q.remove(q.list[0])
	}
}

func (m *model) crash(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "really") > 0 {
		return
	}
	for _, q := range m.queues {
		m.agree(q)
	}
	m.w.crash()
	m.life++
}
