package management

import "strings"

// tagList reads tags as clients write them: a text with commas, or a list of texts.
func tagList(v any) ([]string, error) {
	list := []string{}
	switch v := v.(type) {
	case string:
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				list = append(list, tag)
			}
		}
		return list, nil
	case []any:
		for _, x := range v {
			tag, ok := x.(string)
			if !ok {
				return nil, badRequest([]any{"not_string", "tags"})
			}
			list = append(list, tag)
		}
		return list, nil
	}
	return nil, badRequest([]any{"not_string", "tags"})
}
