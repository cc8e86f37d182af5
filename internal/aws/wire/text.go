package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// The names AWS's messages give types.
var targets = [...]string{
	kindString: "a String", kindBool: "a Boolean", kindInt: "an Integer", kindFloat: "a Double",
	kindTime: "milliseconds since epoch", kindBlob: "a Blob",
}

// conversion is the error of a value of the wrong type: AWS names the token,
// not the value.
func conversion(token string, p *valuePlan) error {
	to := targets[p.kind]
	if p.kind == kindInt && p.typ.Kind() == reflect.Int64 {
		to = "a Long"
	}
	return errors.New(token + " can not be converted to " + to)
}

// parseText sets a scalar from its text, as headers, paths and forms have it.
func parseText(p *valuePlan, v reflect.Value, s string, otherwise string) error {
	switch p.kind {
	case kindString:
		if !utf8.ValidString(s) {
			return errors.New("invalid UTF-8")
		}
		v.SetString(s)
	case kindBool:
		if s != "true" && s != "false" {
			return conversion("STRING_VALUE", p)
		}
		v.SetBool(s == "true")
	case kindInt:
		n, err := strconv.ParseInt(s, 10, p.typ.Bits())
		if err != nil {
			return conversion("STRING_VALUE", p)
		}
		v.SetInt(n)
	case kindFloat:
		x, err := parseFloat(s, p.typ.Bits())
		if err != nil {
			return conversion("STRING_VALUE", p)
		}
		v.SetFloat(x)
	case kindTime:
		t, err := parseTime(p.timeFormat(otherwise), s)
		if err != nil {
			return conversion("STRING_VALUE", p)
		}
		v.Set(reflect.ValueOf(t))
	case kindBlob:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return conversion("STRING_VALUE", p)
		}
		v.SetBytes(b)
	default:
		return errors.New("unexpected value of a structure or list")
	}
	return nil
}

// formatText is the inverse of parseText for ISO 8601 protocols.
func formatText(p *valuePlan, v reflect.Value) string { return formatTextAs(p, v, "iso8601") }

func formatTextAs(p *valuePlan, v reflect.Value, otherwise string) string {
	switch p.kind {
	case kindString:
		return v.String()
	case kindBool:
		return strconv.FormatBool(v.Bool())
	case kindInt:
		return strconv.FormatInt(v.Int(), 10)
	case kindFloat:
		return formatFloat(v.Float(), p.typ.Bits())
	case kindTime:
		return formatTime(p.timeFormat(otherwise), v.Interface().(time.Time))
	case kindBlob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	return ""
}

// parseFloat reads a number or one of AWS's three names of what is none.
func parseFloat(s string, bits int) (float64, error) {
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	x, err := strconv.ParseFloat(s, bits)
	if err == nil && (math.IsInf(x, 0) || math.IsNaN(x)) {
		return 0, fmt.Errorf("bad number %q", s)
	}
	return x, err
}

func formatFloat(x float64, bits int) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(x, 'g', -1, bits)
}

// timeFormat is the shape's format, or the protocol's own.
func (p *valuePlan) timeFormat(otherwise string) string {
	if p.Time != "" {
		return p.Time
	}
	return otherwise
}

// maxUnix is the last second of the year 9999, the last that every format can
// express; earlier than the year 1 is refused too.
const (
	maxUnix = 253402300799
	minUnix = -62135596800
)

func parseTime(format, s string) (time.Time, error) {
	switch format {
	case "unixTimestamp":
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x >= minUnix && x <= maxUnix) {
			return time.Time{}, fmt.Errorf("bad time %q", s)
		}
		return time.UnixMilli(int64(math.Round(x * 1e3))).UTC(), nil
	case "rfc822":
		t, err := time.Parse(time.RFC1123, s)
		return t.UTC(), err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, err
	}
	if u := t.Unix(); u < minUnix || u > maxUnix {
		return t, fmt.Errorf("bad time %q", s)
	}
	return t.Truncate(time.Millisecond).UTC(), nil
}

func formatTime(format string, t time.Time) string {
	t = t.UTC()
	switch format {
	case "unixTimestamp":
		return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', -1, 64)
	case "rfc822":
		return t.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return t.Format("2006-01-02T15:04:05.999Z")
}
