package rabbitmq

import "maps"

// merged gives what a policy and an operator policy, either of which may be nil, say
// together.
func merged(p, o *policy) map[string]any {
	out := map[string]any{}
	if p != nil {
		maps.Copy(out, p.definition)
	}
	if o == nil {
		return out
	}
	for k, v := range o.definition {
		if theirs, both := out[k]; both {
			v = stricter(k, theirs, v)
		}
		out[k] = v
	}
	return out
}

// stricter gives what counts of a key that both have: of bounds the lesser, of sizes of
// groups the greater, else what the operator says.
func stricter(key string, theirs, operators any) any {
	a, isNumber := integer(theirs)
	b, ok := integer(operators)
	if !ok || !isNumber {
		return operators
	}
	switch key {
	case "message-ttl", "expires", "max-length", "max-length-bytes", "max-in-memory-length",
		"max-in-memory-bytes", "delivery-limit":
		if a < b {
			return theirs
		}
	case "target-group-size":
		if a > b {
			return theirs
		}
	}
	return operators
}
