package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxExpires is the longest life of a presigned request, a week.
const maxExpires = 7 * 24 * time.Hour

// parameter is one of the query, decoded.
type parameter struct{ name, value string }

// splitQuery decodes a query. What is no escape stays as it is: the request is
// then signed as it is, and its parser may refuse it.
func splitQuery(raw string) []parameter {
	var list []parameter
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		list = append(list, parameter{unescape(name), unescape(value)})
	}
	return list
}

// unescape decodes %XX and the plus sign.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b = append(b, ' ')
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// parseQuery reads the presigned form.
func parseQuery(r *http.Request, query []parameter) (*Claim, error) {
	values := map[string]string{}
	for _, p := range query {
		if !strings.HasPrefix(p.name, "X-Amz-") {
			continue
		}
		if _, twice := values[p.name]; twice {
			return nil, failf(Incomplete, "AWS query-string parameters include '%s' twice. "+
				"Re-examine the query-string parameters.", printable(p.name))
		}
		values[p.name] = p.value
	}
	missing := ""
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature",
		"X-Amz-SignedHeaders", "X-Amz-Date"} {
		if values[name] == "" {
			missing += "AWS query-string parameters must include '" + name + "'. "
		}
	}
	if missing != "" {
		return nil, failf(Incomplete, "%sRe-examine the query-string parameters.", missing)
	}
	if a := values["X-Amz-Algorithm"]; a != algorithm {
		return nil, failf(kindOf(a), "Unsupported AWS 'algorithm': '%s'.", printable(a))
	}
	c := &Claim{signature: values["X-Amz-Signature"]}
	c.Presigned = true
	c.SessionToken = values["X-Amz-Security-Token"]
	if c.SessionToken == "" {
		c.SessionToken = r.Header.Get("X-Amz-Security-Token")
	}
	if s, given := values["X-Amz-Expires"]; given {
		seconds, err := strconv.ParseUint(s, 10, 32)
		if err != nil || seconds == 0 || time.Duration(seconds)*time.Second > maxExpires {
			return nil, failf(Incomplete, "X-Amz-Expires must be a number between 1 and "+
				"604800 seconds, got '%s'", printable(s))
		}
		c.expires = time.Duration(seconds) * time.Second
	}
	return c.finish(values["X-Amz-Credential"], values["X-Amz-SignedHeaders"], values["X-Amz-Date"])
}

// canonicalQuery encodes each parameter anew and sorts them by name and value.
// The signature itself is left out.
func canonicalQuery(query []parameter) string {
	encoded := make([]parameter, 0, len(query))
	for _, p := range query {
		if p.name != "X-Amz-Signature" {
			encoded = append(encoded, parameter{escape(p.name, false), escape(p.value, false)})
		}
	}
	slices.SortFunc(encoded, func(a, b parameter) int {
		if a.name != b.name {
			return strings.Compare(a.name, b.name)
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range encoded {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}
