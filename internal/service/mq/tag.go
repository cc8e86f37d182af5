package mq

import (
	"context"
	"maps"
	"net/url"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// tagged is what tags can be put on.
type tagged interface {
	arn() string
	kind() string // for decisions and events
	tags() map[string]string
	setTags(tags map[string]string)
	put(tx *control.Tx) error
}

var (
	_ tagged = (*row)(nil)
	_ tagged = (*configuration)(nil)
)

func (b *row) kind() string                { return resourceType }
func (b *row) tags() map[string]string     { return b.Tags }
func (b *row) setTags(t map[string]string) { b.Tags = t }

// named finds the broker or configuration of an ARN, which may still be escaped as it
// stood in the path of a request.
func (s *Service) named(ctx context.Context, call *gateway.Call, name string) (tagged, error) {
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	missing := &api.NotFoundException{ErrorAttribute: "resource-arn",
		Message: "Can't find requested resource [" + name + "]. Make sure your resource exists."}
	a, err := arn.Parse(name)
	if err != nil || a.Service != "mq" || a.Account != call.Account || a.Region != call.Region {
		return nil, missing
	}
	var t tagged
	switch parts := strings.Split(a.Resource, ":"); {
	case parts[0] == "broker" && len(parts) == 3:
		t, err = s.find(ctx, call.Account, call.Region, parts[2])
	case parts[0] == "configuration" && len(parts) == 2:
		t, err = s.findConfiguration(ctx, call, parts[1])
	default:
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if t.arn() != name {
		return nil, missing
	}
	return t, nil
}

// CreateTags adds tags to a broker or configuration; those with the same keys change.
func (s *Service) CreateTags(ctx context.Context, in *api.CreateTagsInput) (
	*api.CreateTagsOutput, error,
) {
	return &api.CreateTagsOutput{}, s.retag(ctx, in.ResourceArn, func(now map[string]string) error {
		maps.Copy(now, in.Tags)
		if err := checkTags(in.Tags); err != nil {
			return err
		}
		return checkTags(now)
	})
}

// DeleteTags removes tags; those that are not there are no error.
func (s *Service) DeleteTags(ctx context.Context, in *api.DeleteTagsInput) (
	*api.DeleteTagsOutput, error,
) {
	return &api.DeleteTagsOutput{}, s.retag(ctx, in.ResourceArn, func(now map[string]string) error {
		for _, k := range in.TagKeys {
			delete(now, k)
		}
		return nil
	})
}

// retag changes the tags of what an ARN names.
func (s *Service) retag(
	ctx context.Context, name string, change func(now map[string]string) error,
) error {
	call := gateway.From(ctx)
	return s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		t, err := s.named(ctx, call, name)
		if err != nil {
			return err
		}
		now := maps.Clone(t.tags())
		if now == nil {
			now = map[string]string{}
		}
		if err := change(now); err != nil {
			return err
		}
		t.setTags(now)
		return t.put(tx)
	})
}

// ListTags gives the tags of a broker or configuration.
func (s *Service) ListTags(ctx context.Context, in *api.ListTagsInput) (
	*api.ListTagsOutput, error,
) {
	t, err := s.named(ctx, gateway.From(ctx), in.ResourceArn)
	if err != nil {
		return nil, err
	}
	now := t.tags()
	if now == nil {
		now = map[string]string{}
	}
	return &api.ListTagsOutput{Tags: now}, nil
}
