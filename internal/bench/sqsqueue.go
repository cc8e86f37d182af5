package bench

import (
	"context"
	"errors"
	"fmt"
)

// create makes the queues.
func (r *sqsRun) create() error {
	op, attributes := r.control.operation("CreateQueue"), `"VisibilityTimeout":"43200"`
	suffix := ""
	if r.cfg.FIFO {
		attributes += `,"FifoQueue":"true","DeduplicationScope":"messageGroup",` +
			`"FifoThroughputLimit":"perMessageGroupId"`
		suffix = ".fifo"
	}
	for i := range r.cfg.Queues {
		answer, err := r.control.do(op, fmt.Appendf(nil,
			`{"QueueName":"%s-%d%s","Attributes":{%s}}`, r.cfg.Prefix, i, suffix, attributes))
		if err != nil {
			return err
		}
		s := scan{answer}
		url, _ := s.next("QueueUrl", "QueueUrl")
		if url == nil {
			return fmt.Errorf("CreateQueue: the answer names no queue: %.500s", answer)
		}
		r.queues = append(r.queues, `"`+string(url)+`"`)
	}
	return nil
}

// cleanup removes the queues, on a connection of its own.
func (r *sqsRun) cleanup(ctx context.Context) error {
	for _, s := range r.senders {
		if s != nil {
			s.close()
		}
	}
	for _, c := range r.receivers {
		if c.sqsConn != nil {
			c.close()
		}
	}
	if r.control != nil {
		r.control.close()
	}
	if len(r.queues) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Patience, errors.New("it takes too long"))
	defer cancel()
	c, err := dialSQS(ctx, &r.cfg.Target)
	if err != nil {
		return fmt.Errorf("remove the queues %s-…: %w", r.cfg.Prefix, err)
	}
	defer c.close()
	op := c.operation("DeleteQueue")
	for _, url := range r.queues {
		if _, err := c.do(op, []byte(`{"QueueUrl":`+url+`}`)); err != nil {
			return err
		}
	}
	return nil
}
