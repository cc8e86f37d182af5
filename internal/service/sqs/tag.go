package sqs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

// Bounds of tags.
//
// Source: SQS developer guide, "Amazon SQS cost allocation tags".
const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256
)

// TagQueue adds tags; those with the same keys are replaced.
func (s *Service) TagQueue(ctx context.Context, in *api.TagQueueInput) (
	*api.TagQueueOutput, error,
) {
	if len(in.Tags) == 0 {
		return nil, wire.Missing("Tags")
	}
	err := s.retag(ctx, in.QueueUrl, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
	if err != nil {
		return nil, err
	}
	return &api.TagQueueOutput{}, nil
}

// UntagQueue takes tags away.
func (s *Service) UntagQueue(ctx context.Context, in *api.UntagQueueInput) (
	*api.UntagQueueOutput, error,
) {
	if len(in.TagKeys) == 0 || slices.Contains(in.TagKeys, "") {
		return nil, badTagKey()
	}
	err := s.retag(ctx, in.QueueUrl, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagQueueOutput{}, nil
}

// ListQueueTags lists the tags of a queue.
func (s *Service) ListQueueTags(ctx context.Context, in *api.ListQueueTagsInput) (
	*api.ListQueueTagsOutput, error,
) {
	q, err := s.lookup(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &api.ListQueueTagsOutput{Tags: q.row.Load().Tags}, nil
}

func (s *Service) retag(ctx context.Context, url string, fn func(map[string]string)) error {
	a, err := addressOf(gateway.From(ctx), url)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, a, func(r *row) error {
			if r.Tags == nil {
				r.Tags = map[string]string{}
			}
			if fn(r.Tags); len(r.Tags) == 0 {
				r.Tags = nil // and none is shown
			}
			return checkTags(r.Name, r.Tags)
		})
	})
}

func checkTags(queue string, tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Too many tags added for queue %s.", queue)
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n < 1 || n > maxTagKey {
			return badTagKey()
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalid("Tag keys cannot start with the reserved prefix aws:.")
		}
		if utf8.RuneCountInString(value) > maxTagValue {
			return invalid("Tag values must be between 0 and %d characters in length.", maxTagValue)
		}
	}
	return nil
}

func badTagKey() error {
	return invalid("Tag keys must be between 1 and %d characters in length.", maxTagKey)
}
