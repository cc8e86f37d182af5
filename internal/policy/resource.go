package policy

import "strings"

// arnParts is how many parts an ARN has; the last may contain colons.
const arnParts = 6

// resourcePattern is a string of Resource, NotResource or an Arn condition,
// compared part by part: a wildcard does not reach over a colon, except within
// the last part. An ARN with missing parts is completed with *.
type resourcePattern struct {
	everything bool // a lone *
	early      bool // a variable stands before the last part
	parts      [arnParts]pattern
	spread     pattern // the pattern as one string; only if it lacks parts and a * may be them
	whole      pattern // the pattern as one string; only if it has wildcards
}

// compileARN compiles s, which must look like an ARN or be *.
func compileARN(s string, x syntax) (resourcePattern, error) {
	if s == "*" {
		return resourcePattern{everything: true}, nil
	}
	x.wildcards = true
	parts := splitPattern(s, x.variables)
	if len(parts) < 2 || parts[0] != "arn" {
		return resourcePattern{}, errNotARN
	}
	var r resourcePattern
	var err error
	for i := range r.parts {
		text := "*"
		if i < len(parts) {
			text = parts[i]
		}
		if r.parts[i], err = compile(text, x); err != nil {
			return resourcePattern{}, err
		}
		r.early = r.early || r.parts[i].variables && i < arnParts-1
	}
	whole, err := compile(s, x)
	if err != nil {
		return resourcePattern{}, err
	}
	if whole.wild() {
		r.whole = whole
	}
	if len(parts) < arnParts {
		r.spread = whole.withinParts()
	}
	return r, nil
}

// splitPattern cuts s at its first five colons that are not in a variable.
func splitPattern(s string, variables bool) []string {
	var parts []string
	from, i := 0, 0
	for i < len(s) && len(parts) < arnParts-1 {
		if variables && strings.HasPrefix(s[i:], "${") {
			_, n, err := readVariable(s[i:])
			if err == nil {
				i += n
				continue
			}
		}
		if s[i] == ':' {
			parts = append(parts, s[from:i])
			from = i + 1
		}
		i++
	}
	return append(parts, s[from:])
}

// splitName is an ARN of a request, cut; valid is false for anything else.
type splitName struct {
	text  string
	parts [arnParts]string
	valid bool
}

func splitARN(s string) splitName {
	n := splitName{text: s}
	rest := s
	for i := range arnParts - 1 {
		part, after, found := strings.Cut(rest, ":")
		if !found {
			return n
		}
		n.parts[i], rest = part, after
	}
	n.parts[arnParts-1] = rest
	n.valid = n.parts[0] == "arn" && rest != ""
	return n
}

// match compares part by part. Only a lone * covers what is not an ARN, such
// as the * that stands for the resource of a listing.
func (r *resourcePattern) match(e *evaluation, name *splitName) bool {
	if r.everything {
		return true
	}
	if !name.valid {
		return false
	}
	for i := range r.parts {
		if !r.parts[i].match(e, name.parts[i]) {
			return false
		}
	}
	return true
}

// matchResource is match for the Resource of an Allow. A * that ends a part of
// an ARN with missing parts may stand for them: arn:aws:sqs:*:q is a queue of
// any Region and account. IAM documents such an expansion for every * that ends
// a part; in a pattern that has all parts it would only let a resource pose as
// one of another account. A variable stands in the last part or covers nothing.
//
// Source: IAM User Guide, "Resource" and "Where you can use policy variables".
func (r *resourcePattern) matchResource(e *evaluation, name *splitName) bool {
	if r.early {
		return false
	}
	return r.match(e, name) ||
		name.valid && len(r.spread.tokens) > 0 && r.spread.match(e, name.text)
}

// matchWide lets all wildcards reach over colons. It serves where covering
// more admits less: in Deny, and in the NotResource of an Allow. A pattern such
// as arn:aws:s3*secret means something to its author and nothing part by part.
func (r *resourcePattern) matchWide(e *evaluation, name *splitName) bool {
	return r.match(e, name) || len(r.whole.tokens) > 0 && r.whole.match(e, name.text)
}

// resolves reports whether every variable of r has a value.
func (r *resourcePattern) resolves(e *evaluation) bool {
	for i := range r.parts {
		for _, t := range r.parts[i].tokens {
			if v := e.lookup(t.text); t.kind == variable && v.len() != 1 &&
				(v.len() > 1 || !t.defaulted) {
				return false
			}
		}
	}
	return true
}
