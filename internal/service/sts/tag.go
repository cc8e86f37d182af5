package sts

import (
	"maps"
	"slices"
	"strings"

	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
)

const maxTags = 50

// addTags takes the tags of a request, over the transitive ones that the caller's
// session hands on. Keys have no case.
func (p *passed) addTags(tags []api.Tag, transitive []string, from *gateway.Session) error {
	if len(tags) > maxTags {
		return invalid("The number of session tags exceeds the limit of %d.", maxTags)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		key := strings.ToLower(t.Key)
		switch {
		case seen[key]:
			return invalid("Duplicate tag keys found. " +
				"Please note that Tag keys are case insensitive.")
		case strings.HasPrefix(key, "aws:"):
			return invalid("Tag keys beginning with aws: are reserved for use by AWS.")
		}
		seen[key] = true
		p.Tags = append(p.Tags, tag(t))
	}
	for _, k := range transitive {
		if !seen[strings.ToLower(k)] {
			return invalid("The specified transitive tag key must be included in the " +
				"requested tags.")
		}
		p.Transitive = append(p.Transitive, k)
	}
	if from == nil {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(from.Transitive)) {
		if seen[strings.ToLower(k)] {
			return invalid("One of the specified transitive tag keys can't be set because it " +
				"conflicts with a transitive tag key from the calling session.")
		}
		p.Tags = append(p.Tags, tag{k, from.Transitive[k]})
		p.Transitive = append(p.Transitive, k)
	}
	if len(p.Tags) > maxTags {
		return invalid("The number of session tags exceeds the limit of %d.", maxTags)
	}
	return nil
}

// over gives the tags of the principal with those of the session before them.
func (p *passed) over(own map[string]string) map[string]string {
	all := map[string]string{}
	for k, v := range own {
		if !p.hasTag(k) {
			all[k] = v
		}
	}
	for _, t := range p.Tags {
		all[t.Key] = t.Value
	}
	return all
}

func (p *passed) hasTag(key string) bool {
	return slices.ContainsFunc(p.Tags, func(t tag) bool { return strings.EqualFold(t.Key, key) })
}

// transitive are the tags that go on to roles assumed with the session.
func (p *passed) transitive() map[string]string {
	if len(p.Transitive) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, t := range p.Tags {
		if slices.ContainsFunc(p.Transitive, func(k string) bool {
			return strings.EqualFold(k, t.Key)
		}) {
			all[t.Key] = t.Value
		}
	}
	return all
}
