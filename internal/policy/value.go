package policy

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	errValue = errors.New("value does not fit the operator")

	numberPattern = regexp.MustCompile(`^[+-]?[0-9]{1,32}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?$`)
	epochPattern  = regexp.MustCompile(`^[0-9]{5,15}(\.[0-9]{1,9})?$`)
)

// dateLayouts are the W3C profile of ISO 8601. RFC 3339 covers fractions.
var dateLayouts = [...]string{
	time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01", "2006",
}

// operand is one value of a condition, compiled for its operator; only the
// field of the operator's family is set.
type operand struct {
	pattern pattern // strings; booleans, which may be variables
	arn     resourcePattern
	number  number
	date    time.Time
	bytes   string
	network netip.Prefix
	absent  bool // Null: true asks that the key is not there
}

// compileOperand reads a policy's value. Variables stand in strings, ARNs and
// booleans only; elsewhere ${ is not a value.
func compileOperand(o operator, s string, variables bool) (operand, error) {
	var v operand
	var err error
	x := syntax{wildcards: o.wildcards, variables: variables, foldCase: o.foldCase}
	switch o.family {
	case ofString:
		v.pattern, err = compile(s, x)
	case ofARN:
		v.arn, err = compileARN(s, x)
		if errors.Is(err, errNotARN) { // a value such as "*:queue" is legal, and matches nothing
			v.arn, err = resourcePattern{}, nil
		}
	case ofBool:
		x.foldCase = true
		v.pattern, err = compile(s, x)
		if err == nil && !v.pattern.variables && fold(s) != "true" && fold(s) != "false" {
			err = errValue
		}
	case ofNumber:
		v.number, err = parseNumber(s)
	case ofDate:
		v.date, err = parseDate(s)
	case ofAddress:
		v.network, err = parseNetwork(s)
	case ofBinary:
		var b []byte
		b, err = base64.StdEncoding.DecodeString(s)
		v.bytes = string(b)
	case ofPresence:
		v.absent, err = parseBool(s)
	}
	return v, err
}

// test compares a value of the request with the operand. A value that is not
// of the family equals nothing and stands in no order.
func (v *operand) test(e *evaluation, o operator, s string) bool {
	switch o.family {
	case ofString, ofBool:
		return v.pattern.match(e, s)
	case ofARN:
		name := splitARN(s)
		return v.arn.match(e, &name)
	case ofNumber:
		n, err := parseNumber(s)
		return err == nil && o.relation.compares(n.compare(v.number))
	case ofDate:
		t, err := parseDate(s)
		return err == nil && o.relation.compares(t.Compare(v.date))
	case ofAddress:
		a, err := netip.ParseAddr(s)
		return err == nil && a.Zone() == "" && v.network.Contains(a.Unmap())
	case ofBinary:
		return s == v.bytes
	}
	return false
}

// number is a decimal; whole numbers within 64 bits keep all their digits.
type number struct {
	whole   int64
	isWhole bool
	float   float64
}

func parseNumber(s string) (number, error) {
	if !numberPattern.MatchString(s) {
		return number{}, errValue
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return number{}, errValue
	}
	n := number{float: f}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		n.whole, n.isWhole = i, true
	}
	return n, nil
}

func (n number) compare(m number) int {
	if n.isWhole && m.isWhole {
		return cmp.Compare(n.whole, m.whole)
	}
	return cmp.Compare(n.float, m.float)
}

// parseDate reads an ISO 8601 date or seconds since 1970. Four digits are a
// year.
func parseDate(s string) (time.Time, error) {
	if epochPattern.MatchString(s) {
		whole, fraction, _ := strings.Cut(s, ".")
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return time.Time{}, errValue
		}
		nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64) // digits, by the pattern
		return time.Unix(seconds, nanos), nil
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errValue
}

// epochValue is aws:EpochTime.
func epochValue(t time.Time) valueList {
	if t.IsZero() {
		return valueList{}
	}
	return single(strconv.FormatInt(t.Unix(), 10))
}

// parseNetwork reads an address or a range; an address alone is a range of one.
func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return netip.Prefix{}, errValue
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, errValue
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func parseBool(s string) (bool, error) {
	switch fold(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errValue
}
