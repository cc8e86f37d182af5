package iam

import (
	"cmp"
	"slices"
	"strings"

	api "coffer/internal/aws/api/iam"
)

// maxTags is AWS's quota of an entity.
const maxTags = 50

// addTags gives the tags with more of them, in the order of their keys, which
// are compared without regard to case.
func addTags(tags []tag, more []api.Tag) ([]tag, error) {
	tags = slices.Clone(tags)
	seen := map[string]bool{}
	for _, t := range more {
		folded := strings.ToLower(t.Key)
		if strings.HasPrefix(folded, "aws:") {
			return nil, badInput("Tag keys that begin with aws: are reserved for system use.")
		}
		if seen[folded] {
			return nil, badInput("Duplicate tag keys found. Please note that Tag keys are " +
				"case insensitive.")
		}
		seen[folded] = true
		at, found := slices.BinarySearchFunc(tags, folded, byTagKey)
		if found {
			tags[at] = tag{t.Key, t.Value}
			continue
		}
		tags = slices.Insert(tags, at, tag{t.Key, t.Value})
	}
	if len(tags) > maxTags {
		return nil, overLimit("The number of tags has reached the maximum limit.")
	}
	return tags, nil
}

func byTagKey(t tag, folded string) int { return cmp.Compare(strings.ToLower(t.Key), folded) }

// removeTags gives the tags without those; one that is not there is no error.
func removeTags(tags []tag, keys []string) []tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool {
			return strings.EqualFold(k, t.Key)
		})
	})
}

// tags is the answer's form; none are absent.
func (e *entity) tags() []api.Tag {
	if len(e.Tags) == 0 {
		return nil
	}
	return convert(e.Tags, func(t tag) api.Tag { return api.Tag{Key: t.Key, Value: t.Value} })
}

// tagPage cuts a page out of an entity's tags. Keys may be longer than a marker,
// which therefore holds a tag's place.
func (r *request) tagPage(e *entity, marker string, max *int32) (
	out []api.Tag, truncated *bool, next string, err error,
) {
	type placed struct {
		tag
		place string
	}
	list := make([]placed, 0, len(e.Tags))
	for i, t := range e.Tags {
		list = append(list, placed{t, string(rune('A' + i))})
	}
	p := paging{marker, max, []string{"tags", e.ID}}
	part, truncated, next, err := page(r.tx, p, list, func(t placed) string { return t.place })
	return convert(part, func(t placed) api.Tag {
		return api.Tag{Key: t.Key, Value: t.Value}
	}), truncated, next, err
}
