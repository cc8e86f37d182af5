package kms

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"coffer/internal/aws/api/kms"
	"coffer/internal/control"
)

// maxTags is AWS's quota of a key.
const maxTags = 50

// addTags gives the tags with more of them, in the order of their keys.
func addTags(tags []tag, more []kms.Tag) ([]tag, error) {
	tags = slices.Clone(tags)
	seen := map[string]bool{}
	for _, t := range more {
		if strings.HasPrefix(strings.ToLower(t.TagKey), "aws:") {
			return nil, badTag("Tags beginning with aws: are reserved")
		}
		if seen[t.TagKey] {
			return nil, badTag("Duplicate tag keys found: %s", t.TagKey)
		}
		seen[t.TagKey] = true
		at, found := slices.BinarySearchFunc(tags, t.TagKey, byTagKey)
		if found {
			tags[at].Value = t.TagValue
			continue
		}
		tags = slices.Insert(tags, at, tag{t.TagKey, t.TagValue})
	}
	if len(tags) > maxTags {
		return nil, overLimit("A key can have %d tags at most.", maxTags)
	}
	return tags, nil
}

func byTagKey(t tag, name string) int { return cmp.Compare(t.Key, name) }

// TagResource adds tags to a key or replaces their values.
func (s *Service) TagResource(ctx context.Context, in *kms.TagResourceInput) (
	*kms.TagResourceOutput, error,
) {
	return &kms.TagResourceOutput{}, s.edit(ctx, in.KeyId, func(_ *control.Tx, k *key) error {
		tags, err := addTags(k.Tags, in.Tags)
		k.Tags = tags
		return err
	})
}

// UntagResource removes tags; those that are not there are no error.
func (s *Service) UntagResource(ctx context.Context, in *kms.UntagResourceInput) (
	*kms.UntagResourceOutput, error,
) {
	return &kms.UntagResourceOutput{}, s.edit(ctx, in.KeyId, func(_ *control.Tx, k *key) error {
		k.Tags = slices.DeleteFunc(slices.Clone(k.Tags), func(t tag) bool {
			return slices.Contains(in.TagKeys, t.Key)
		})
		return nil
	})
}

// ListResourceTags lists a key's tags in the order of their keys.
func (s *Service) ListResourceTags(ctx context.Context, in *kms.ListResourceTagsInput) (
	*kms.ListResourceTagsOutput, error,
) {
	out := &kms.ListResourceTagsOutput{Tags: []kms.Tag{}}
	return out, s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err != nil {
			return err
		}
		p, err := newPage(tx, in.Marker, in.Limit, maxTags, maxTags, "tags", k.ID)
		if err != nil {
			return err
		}
		for _, t := range k.Tags {
			switch {
			case p.after != nil && t.Key <= string(p.after):
			case p.count == p.limit:
				p.more = true
			default:
				out.Tags = append(out.Tags, kms.Tag{TagKey: t.Key, TagValue: t.Value})
				p.last = []byte(t.Key)
				p.count++
			}
		}
		out.NextMarker, out.Truncated = p.marker()
		return nil
	})
}
