package rabbitmq

// merged gives what a policy and an operator policy say together.
func merged(p, o *policy) map[string]any {
	out := map[string]any{}
	if p != nil {
		for k, v := range p.definition {
			out[k] = v
		}
	}
	if o != nil {
		for k, v := range o.definition {
			out[k] = stricter(k, out[k], v)
		}
	}
	return out
}

// stricter gives what counts of a key that both have: of bounds the lesser, else what
// the operator says.
func stricter(_ string, theirs, operators any) any {
	a, isNumber := theirs.(float64)
	if b, ok := operators.(float64); ok && isNumber {
		return min(a, b)
	}
	return operators
}
