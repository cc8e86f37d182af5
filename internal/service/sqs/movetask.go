package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// task moves messages out of a dead-letter queue, in whose row it is.
type task struct {
	ID      uuid.UUID `json:"id"`
	Started time.Time `json:"started"`
	Target  string    `json:"target,omitempty"` // ARN; absent: where each message died
	Rate    int       `json:"rate,omitempty"`   // messages a second
	ToMove  int64     `json:"toMove"`           // messages that were there at the start
	Moved   int64     `json:"moved"`            // when it was last noted
	Status  string    `json:"status"`
	Failure string    `json:"failure,omitempty"`
}

// The states of tasks, as AWS calls them.
const (
	running    = "RUNNING"
	completed  = "COMPLETED"
	cancelling = "CANCELLING"
	cancelled  = "CANCELLED"
	failing    = "FAILED"
)

// keptTasks bounds the tasks that a queue remembers, and those of an answer; maxMoveRate
// a task's messages a second.
const (
	keptTasks   = 10
	maxMoveRate = 500
)

// errNoSource: a message was sent to the dead-letter queue by somebody.
var errNoSource = errors.New("the message has no source")

// mover is a task that is going on.
type mover struct {
	move   *broker.Move
	before int64 // messages that were moved before this start
}

func (m *mover) moved() int64 { return m.before + m.move.Moved() }

// StartMessageMoveTask notes the task; Finish begins it.
func (s *Service) StartMessageMoveTask(ctx context.Context, in *api.StartMessageMoveTaskInput) (
	*api.StartMessageMoveTaskOutput, error,
) {
	q, err := s.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	t := &task{ID: uuid.New(), Target: wire.Or(in.DestinationArn, ""), Status: running}
	if t.Target != "" {
		to, err := s.queueOfARN("DestinationArn", t.Target)
		if err != nil {
			return nil, err
		}
		if to == q || to.fifo() != q.fifo() || to.realmName != q.realmName {
			return nil, badValue(t.Target, "DestinationArn", "The destination queue must be "+
				"another one of the same type, account and Region.")
		}
	}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if t.Rate = int(*n); t.Rate < 1 || t.Rate > maxMoveRate {
			return nil, badValue(*n, "MaxNumberOfMessagesPerSecond",
				"Must be between 1 and 500, if provided.")
		}
	}
	if len(s.sourcesOf(q.address)) == 0 {
		return nil, invalid("Source queue must be configured as a Dead Letter Queue.")
	}
	if p := q.place.Load(); p != nil {
		t.ToMove, _, _ = p.queue.Counts()
	}
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, q.address, func(r *row) error {
			t.Started = tx.Time()
			if slices.ContainsFunc(r.Tasks, task.active) {
				return invalid("There is already a task running. Only one active task is " +
					"allowed for a source queue arn at a given time.")
			}
			r.Tasks = append([]task{*t}, r.Tasks...)
			r.Tasks = r.Tasks[:min(len(r.Tasks), keptTasks)]
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return &api.StartMessageMoveTaskOutput{TaskHandle: t.handle(q)}, nil
}

func (t task) active() bool { return t.Status == running || t.Status == cancelling }

// taskHandle is what a handle says, in JSON and base64.
type taskHandle struct {
	Task   string `json:"taskId"`
	Source string `json:"sourceArn"`
}

func (t *task) handle(q *queue) string {
	b, _ := json.Marshal(taskHandle{t.ID.String(), q.arn()}) // of texts it does not fail
	return base64.StdEncoding.EncodeToString(b)
}

// parseTask finds the queue of a handle.
func (s *Service) parseTask(text string) (h taskHandle, q *queue, err error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &h) != nil || h.Task == "" {
		return h, nil, invalid("Value for parameter TaskHandle is invalid.")
	}
	if q, err = s.queueOfARN("SourceArn", h.Source); err != nil {
		return h, nil, err
	}
	return h, q, nil
}

// queueOfARN finds the queue that a parameter names.
func (s *Service) queueOfARN(parameter, text string) (*queue, error) {
	a, ok := addressOfARN(text)
	if !ok {
		return nil, invalid("You must use this format to specify the %s: arn:<partition>:"+
			"<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	s.mu.RLock()
	q := s.queues[a]
	s.mu.RUnlock()
	if q == nil {
		return nil, &api.ResourceNotFoundException{Message: "The resource that you specified " +
			"for the " + parameter + " parameter doesn't exist."}
	}
	return q, nil
}

// CancelMessageMoveTask notes that the task is to end; Finish ends it.
func (s *Service) CancelMessageMoveTask(
	ctx context.Context, in *api.CancelMessageMoveTaskInput,
) (*api.CancelMessageMoveTaskOutput, error) {
	h, q, err := s.parseTask(in.TaskHandle)
	if err != nil {
		return nil, err
	}
	out := &api.CancelMessageMoveTaskOutput{}
	err = s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, q.address, func(r *row) error {
			t := r.task(h.Task)
			switch {
			case t == nil:
				return &api.ResourceNotFoundException{Message: "Task does not exist."}
			case t.Status != running:
				return &api.UnsupportedOperation{Message: "Only a task that is running can be " +
					"cancelled."}
			}
			t.Status = cancelling
			moved := s.progress(t)
			out.ApproximateNumberOfMessagesMoved = &moved
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// task finds a task by its id; nil when there is none.
func (r *row) task(id string) *task {
	i := slices.IndexFunc(r.Tasks, func(t task) bool { return t.ID.String() == id })
	if i < 0 {
		return nil
	}
	return &r.Tasks[i]
}

// progress is how many messages a task has moved.
func (s *Service) progress(t *task) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.movers[t.ID]; m != nil {
		return m.moved()
	}
	return t.Moved
}

// ListMessageMoveTasks lists the tasks of a queue, the latest first.
func (s *Service) ListMessageMoveTasks(_ context.Context, in *api.ListMessageMoveTasksInput) (
	*api.ListMessageMoveTasksOutput, error,
) {
	q, err := s.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	n := int(wire.Or(in.MaxResults, 1))
	if n < 1 || n > keptTasks {
		return nil, badValue(n, "MaxResults", "Must be between 1 and 10, if provided.")
	}
	out := &api.ListMessageMoveTasksOutput{Results: []api.ListMessageMoveTasksResultEntry{}}
	tasks := q.row.Load().Tasks
	for i := range min(n, len(tasks)) {
		t := tasks[i]
		moved, started := s.progress(&t), t.Started.UnixMilli()
		e := api.ListMessageMoveTasksResultEntry{
			SourceArn: q.arn(), DestinationArn: t.Target, Status: t.Status,
			FailureReason: t.Failure, StartedTimestamp: &started,
			ApproximateNumberOfMessagesMoved: &moved, ApproximateNumberOfMessagesToMove: &t.ToMove,
		}
		if t.Rate > 0 {
			rate := int32(t.Rate)
			e.MaxNumberOfMessagesPerSecond = &rate
		}
		if t.Status == running {
			e.TaskHandle = t.handle(q)
		}
		out.Results = append(out.Results, e)
	}
	return out, nil
}

// moveChecks are the decisions about the queues that a task takes from and sends to.
func (s *Service) moveChecks(call *gateway.Call, in *api.StartMessageMoveTaskInput) (
	list []gateway.Check, err error,
) {
	q, err := s.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	targets := s.sourcesOf(q.address)
	if text := wire.Or(in.DestinationArn, ""); text != "" {
		to, err := s.queueOfARN("DestinationArn", text)
		if err != nil {
			return nil, err
		}
		targets = []address{to.address}
	}
	add := func(a address, operation string) {
		if err == nil {
			var more []gateway.Check
			more, err = s.check(call, &wire.Op{Name: operation}, a, nil)
			list = append(list, more...)
		}
	}
	for _, operation := range []string{"StartMessageMoveTask", "ReceiveMessage", "DeleteMessage"} {
		add(q.address, operation)
	}
	for _, a := range targets {
		add(a, "SendMessage")
	}
	return list, err
}

// goOn begins the tasks of a queue that should be going on, and ends those that should
// not. The caller holds the queue's opening.
func (s *Service) goOn(q *queue, p *place, r *row) {
	for i := range r.Tasks {
		t := r.Tasks[i]
		if !t.active() || s.waits.Err() != nil {
			continue
		}
		s.mu.RLock()
		m := s.movers[t.ID]
		s.mu.RUnlock()
		switch {
		case m != nil && t.Status == cancelling:
			m.move.Cancel()
		case m == nil:
			// One that ended since r was read said so in the row before it left movers.
			if now := q.row.Load().task(t.ID.String()); now != nil && now.active() {
				s.begin(q, p, *now)
			}
		}
	}
}

// begin lets the broker move what a task has left to move, and waits for that aside.
func (s *Service) begin(q *queue, p *place, t task) {
	ready, _, _ := p.queue.Counts()
	t.Moved = max(t.Moved, t.ToMove-ready) // it is noted now and then
	spec := broker.MoveSpec{
		From: p.queue, Max: t.ToMove - t.Moved, Rate: t.Rate, Fresh: true,
	}
	var err error
	if t.Target == "" {
		spec.Home = func(h *broker.History) (*broker.Queue, error) { return s.home(q, h) }
	} else if spec.To, err = s.target(t.Target); err != nil {
		s.closing.Go(func() { s.note(q, t, err) })
		return
	}
	if spec.Max <= 0 || t.Status == cancelling {
		s.closing.Go(func() { s.note(q, t, nil) })
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	move, err := p.namespace.MoveMessages(ctx, spec)
	if err != nil {
		stop()
		s.closing.Go(func() { s.note(q, t, err) })
		return
	}
	m := &mover{move: move, before: t.Moved}
	s.mu.Lock()
	s.movers[t.ID] = m
	s.mu.Unlock()
	s.closing.Go(func() {
		defer stop()
		defer context.AfterFunc(s.waits, stop)()
		<-move.Done()
		t.Moved = m.moved()
		s.note(q, t, move.Err())
		s.mu.Lock()
		delete(s.movers, t.ID)
		s.mu.Unlock()
	})
}

// home gives the queue in which a message died. It runs on the broker's owner.
func (s *Service) home(q *queue, h *broker.History) (*broker.Queue, error) {
	if h == nil {
		return nil, errNoSource
	}
	from := s.source(q, h)
	if from == nil || from == q || from.place.Load() == nil {
		return nil, fault.New(fault.NotFound, "the queue in which the message died is gone")
	}
	return from.place.Load().queue, nil
}

func (s *Service) target(text string) (*broker.Queue, error) {
	q, err := s.queueOfARN("DestinationArn", text)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "the destination is gone")
	}
	if p := q.place.Load(); p != nil {
		return p.queue, nil
	}
	return nil, fault.New(fault.Unavailable, "the destination is not open")
}

// note stores what became of a task. One that ends with the process goes on with the next.
func (s *Service) note(q *queue, t task, why error) {
	stopped := s.waits.Err() != nil && errors.Is(why, context.Canceled)
	err := s.db.Update(context.Background(), func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, q.address, func(r *row) error {
			now := r.task(t.ID.String())
			if r.ID != q.id || now == nil {
				return noQueue()
			}
			now.Moved = t.Moved
			switch {
			case now.Status == cancelling:
				now.Status = cancelled
			case stopped:
			case why != nil:
				now.Status, now.Failure = failing, failure(why)
			default:
				now.Status = completed
			}
			return nil
		})
	})
	if _, gone := errors.AsType[*api.QueueDoesNotExist](err); err != nil && !gone {
		s.log.Error("note a move of messages", "queue", q.id, "task", t.ID, "error", err)
	}
}

// failure is FailureReason.
func failure(err error) string {
	switch {
	case errors.Is(err, errNoSource):
		return "CouldNotDetermineMessageSource"
	case fault.KindOf(err) == fault.NotFound:
		return "AWS.SimpleQueueService.NonExistentQueue"
	}
	return fmt.Sprintf("InternalError: %s", fault.KindOf(err))
}
