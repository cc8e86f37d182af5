package kms

import "coffer/internal/aws/api/kms"

// conditions are condition keys with their values.
type conditions map[string][]string

func (c conditions) merge(more conditions) {
	for name, values := range more {
		c[name] = values
	}
}

// conditions are the condition keys that follow from the key itself.
func (k *key) conditions() conditions {
	c := conditions{
		"kms:KeySpec": {k.Spec}, "kms:CustomerMasterKeySpec": {k.Spec},
		"kms:KeyUsage": {k.Usage}, "kms:CustomerMasterKeyUsage": {k.Usage},
		"kms:KeyOrigin": {originKMS}, "kms:MultiRegion": {"false"},
	}
	if len(k.Aliases) > 0 {
		c["kms:ResourceAliases"] = k.Aliases
	}
	for _, t := range k.Tags {
		c["aws:ResourceTag/"+t.Key] = []string{t.Value}
	}
	return c
}

func truth(b *bool) string {
	if b != nil && *b {
		return "true"
	}
	return "false"
}

// requestTags are the condition keys of tags in a request.
func requestTags(tags []kms.Tag) conditions {
	c := conditions{}
	for _, t := range tags {
		c["aws:RequestTag/"+t.TagKey] = []string{t.TagValue}
		c["aws:TagKeys"] = append(c["aws:TagKeys"], t.TagKey)
	}
	return c
}
