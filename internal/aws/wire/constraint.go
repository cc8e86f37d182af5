package wire

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shapePlan is a Shape made ready for use.
type shapePlan struct {
	Shape
	min, max float64 // infinite when unbounded
	re       *regexp.Regexp
	free     bool // nothing to check
}

// compileShapes indexes the shapes by name; "" is the shape that says nothing.
func compileShapes(shapes []Shape) (map[string]*shapePlan, error) {
	out := map[string]*shapePlan{}
	for _, s := range append([]Shape{{}}, shapes...) {
		p := &shapePlan{Shape: s, min: math.Inf(-1), max: math.Inf(1)}
		var err error
		if s.Min != "" {
			if p.min, err = strconv.ParseFloat(s.Min, 64); err != nil {
				return nil, fmt.Errorf("shape %s: %w", s.Name, err)
			}
		}
		if s.Max != "" {
			if p.max, err = strconv.ParseFloat(s.Max, 64); err != nil {
				return nil, fmt.Errorf("shape %s: %w", s.Name, err)
			}
		}
		if s.Pattern != "" {
			src := s.RE
			if src == "" {
				src = s.Pattern
			}
			if p.re, err = regexp.Compile("^(?:" + src + ")$"); err != nil {
				return nil, fmt.Errorf("shape %s: %w", s.Name, err)
			}
		}
		p.free = s.Min+s.Max+s.Pattern == "" && len(s.Enum) == 0
		if _, twice := out[s.Name]; twice {
			return nil, fmt.Errorf("shape %s stands twice", s.Name)
		}
		out[s.Name] = p
	}
	return out, nil
}

// fails lists the constraints that a scalar breaks.
func (p *shapePlan) fails(k kind, v scalar) (out []string) {
	n := v.number
	if k == kindString {
		n = float64(utf8.RuneCountInString(v.text))
	}
	if n > p.max {
		out = append(out, p.bound(k, "less", p.Max))
	}
	if n < p.min {
		out = append(out, p.bound(k, "greater", p.Min))
	}
	if k != kindString {
		return out
	}
	if p.re != nil && !p.re.MatchString(v.text) {
		out = append(out, p.pattern())
	}
	if len(p.Enum) > 0 && p.canonical(v.text) == "" {
		out = append(out, p.enum())
	}
	return out
}

// canonical gives the enum value that s means, or "".
func (p *shapePlan) canonical(s string) string {
	i := slices.Index(p.Enum, s)
	if i < 0 && p.IgnoreCase {
		i = slices.IndexFunc(p.Enum, func(e string) bool { return strings.EqualFold(e, s) })
	}
	if i < 0 {
		return ""
	}
	return p.Enum[i]
}

// all lists every constraint, as messages about list items do.
func (p *shapePlan) all(k kind) string {
	var out []string
	if p.Max != "" {
		out = append(out, p.bound(k, "less", p.Max))
	}
	if p.Min != "" {
		out = append(out, p.bound(k, "greater", p.Min))
	}
	if p.Pattern != "" {
		out = append(out, p.pattern())
	}
	if len(p.Enum) > 0 {
		out = append(out, p.enum())
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (p *shapePlan) bound(k kind, than, limit string) string {
	what := "length"
	if k == kindInt || k == kindFloat {
		what = "value"
	}
	return "Member must have " + what + " " + than + " than or equal to " + limit
}

func (p *shapePlan) pattern() string {
	return "Member must satisfy regular expression pattern: " + p.Pattern
}

func (p *shapePlan) enum() string {
	return "Member must satisfy enum value set: [" + strings.Join(p.Enum, ", ") + "]"
}
