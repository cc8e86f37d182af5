package metrics

import (
	"math"
	"strconv"
	"strings"
)

// kind is a type of Prometheus's text format.
type kind string

const (
	counter kind = "counter"
	gauge   kind = "gauge"
	untyped kind = "untyped"
)

// text is an answer in Prometheus's text format, version 0.0.4.
type text struct{ buf []byte }

// begin starts the samples of one name.
func (t *text) begin(name string, k kind, help string) {
	t.buf = append(append(append(t.buf, "# TYPE "...), name...), ' ')
	t.buf = append(append(t.buf, k...), '\n')
	t.buf = append(append(append(t.buf, "# HELP "...), name...), ' ')
	t.buf = append(append(t.buf, help...), '\n')
}

// sample adds one; labels are as pairs makes them.
func (t *text) sample(name, labels string, value float64) {
	t.buf = append(t.buf, name...)
	if labels != "" {
		t.buf = append(append(append(t.buf, '{'), labels...), '}')
	}
	t.buf = append(appendNumber(append(t.buf, ' '), value), '\n')
}

// single adds a name with one sample.
func (t *text) single(name string, k kind, help, labels string, value float64) {
	t.begin(name, k, help)
	t.sample(name, labels, value)
}

// whole is the largest number that is written without an exponent.
const whole = 1 << 53

func appendNumber(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "+Inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-Inf"...)
	case v == math.Trunc(v) && math.Abs(v) <= whole:
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// escaper replaces what a label's value must not have.
func escaper() *strings.Replacer {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
}

// pairs makes labels of names and values in turn. Octets that are not UTF-8 are
// replaced, since the format has none.
func pairs(e *strings.Replacer, list ...string) string {
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(list[i])
		b.WriteString(`="`)
		e.WriteString(&b, strings.ToValidUTF8(list[i+1], "\uFFFD"))
		b.WriteByte('"')
	}
	return b.String()
}
