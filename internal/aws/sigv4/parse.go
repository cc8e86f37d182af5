package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	isoFormat  = "20060102T150405Z"
	dayFormat  = "20060102"

	// maxSignedHeaders bounds the list that the client gives.
	maxSignedHeaders = 128
	maxAccessKeyID   = 128 // IAM's bound
	maxScopePart     = 64
	signatureSize    = 64 // digits
)

// each reports whether s is of characters in a set and not empty. A pattern would cost
// more than all else that a request's signature takes.
func each(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return s != ""
}

func digit(c byte) bool       { return '0' <= c && c <= '9' }
func lower(c byte) bool       { return 'a' <= c && c <= 'z' }
func hexadecimal(c byte) bool { return digit(c) || 'a' <= c && c <= 'f' }
func word(c byte) bool        { return digit(c) || lower(c) || 'A' <= c && c <= 'Z' || c == '_' }
func scoped(c byte) bool      { return word(c) || c == '-' }

// token is a character of a header's name in lower case (RFC 9110, section 5.6.2).
func token(c byte) bool {
	return lower(c) || digit(c) || strings.IndexByte("!#$%&'*+.^_`|~-", c) >= 0
}

// Credential is who signs a request, and for what.
type Credential struct {
	AccessKeyID  string
	Date         time.Time // of the signature, in UTC, to the second
	Region       string
	Service      string
	SessionToken string // empty for a long-term key; its truth is the caller's to check
	Presigned    bool   // the signature is in the query
	// UnsignedPayload: the body is not covered, so it is only as good as the
	// connection. The caller decides whether that is good enough.
	UnsignedPayload bool
}

// Claim is what a request says about its signature. Nothing of it is verified.
type Claim struct {
	Credential
	day       string // of the scope
	date      string // as in the string to sign
	headers   []string
	signature string
	expires   time.Duration // presigned: the life from Date; 0 when not given
}

// Parse reads whom a request says it is from, for choosing a service before
// the body is read. Nothing of it is verified. Errors are *[Error] of the
// kinds Missing, Incomplete, Mismatch (scope) and Unsupported.
//
// A request with both forms is refused: two parts of the process could otherwise believe
// two different callers.
func Parse(r *http.Request) (*Claim, error) {
	query := splitQuery(r.URL.RawQuery)
	presigned := slices.ContainsFunc(query, func(p parameter) bool {
		return p.name == "X-Amz-Algorithm" || p.name == "X-Amz-Signature"
	})
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) > 1 || len(headers) == 1 && presigned:
		return nil, failf(Incomplete, "Only one auth mechanism allowed; only the X-Amz-Algorithm "+
			"query parameter or the Authorization header should be specified")
	case presigned:
		return parseQuery(r, query)
	case len(headers) == 1 && headers[0] != "":
		return parseHeader(r, headers[0])
	}
	return nil, failf(Missing, "Missing Authentication Token")
}

// parseHeader reads the header form:
//
//	AWS4-HMAC-SHA256 Credential=K/day/region/service/aws4_request,
//	SignedHeaders=a;b, Signature=hex
func parseHeader(r *http.Request, header string) (*Claim, error) {
	method, rest, _ := strings.Cut(header, " ")
	parts := make(map[string]string, 3)
	if strings.HasPrefix(method, "AWS4-") {
		if method != algorithm {
			return nil, failf(kindOf(method), "Unsupported AWS 'algorithm': '%s'. %s",
				printable(method), quote(header))
		}
		separator := func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }
		for part := range strings.FieldsFuncSeq(rest, separator) {
			name, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil, failf(Incomplete, "'%s' not a valid key=value pair (missing "+
					"equal-sign) in Authorization header: %s", printable(part), quote(header))
			}
			if _, twice := parts[name]; twice {
				return nil, failf(Incomplete, "Authorization header has the parameter "+
					"'%s' twice. %s", printable(name), quote(header))
			}
			parts[name] = value
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		date = r.Header.Get("Date")
	}
	missing := ""
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			missing += "Authorization header requires '" + name + "' parameter. "
		}
	}
	if date == "" {
		missing += "Authorization header requires existence of either a 'X-Amz-Date' " +
			"or a 'Date' header. "
	}
	if missing != "" {
		return nil, failf(Incomplete, "%s%s", missing, quote(header))
	}
	c := &Claim{signature: parts["Signature"]}
	c.SessionToken = r.Header.Get("X-Amz-Security-Token")
	return c.finish(parts["Credential"], parts["SignedHeaders"], date)
}

// kindOf tells an algorithm of AWS's that is not built, which is the
// asymmetric one, from one that does not exist.
func kindOf(method string) Kind {
	if method == "AWS4-ECDSA-P256-SHA256" {
		return Unsupported
	}
	return Incomplete
}

// finish reads what both forms have.
func (c *Claim) finish(credential, headers, date string) (*Claim, error) {
	if err := c.readDate(date); err != nil {
		return nil, err
	}
	if err := c.readScope(credential); err != nil {
		return nil, err
	}
	c.headers = strings.Split(headers, ";")
	if !slices.Contains(c.headers, "host") {
		return nil, failf(Incomplete,
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if !proper(c.headers) || len(c.signature) != signatureSize || !each(c.signature, hexadecimal) {
		return nil, mismatch()
	}
	return c, nil
}

// proper reports whether a list of header names is sorted, in lower case and
// without repetition: else the signature is not by the rules.
func proper(names []string) bool {
	for i, name := range names {
		if i > 0 && name <= names[i-1] || !each(name, token) {
			return false
		}
	}
	return len(names) <= maxSignedHeaders
}

// readDate takes ISO 8601's basic format, or HTTP's own in the Date header.
func (c *Claim) readDate(date string) error {
	t, err := time.Parse(isoFormat, date)
	if err != nil {
		t, err = http.ParseTime(date)
	}
	if err != nil {
		return failf(Incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. "+
			"See http://en.wikipedia.org/wiki/ISO_8601", printable(date))
	}
	c.Date, c.date = t.UTC(), date
	if len(date) != len(isoFormat) {
		c.date = c.Date.Format(isoFormat)
	}
	return nil
}

// readScope takes a credential apart and checks its day against the date.
func (c *Claim) readScope(credential string) error {
	p := strings.Split(credential, "/")
	if len(p) != 5 || len(p[0]) > maxAccessKeyID || !each(p[0], word) {
		return failf(Incomplete, "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", printable(credential))
	}
	c.AccessKeyID, c.day, c.Region, c.Service = p[0], p[1], p[2], p[3]
	switch {
	case len(c.Region) > maxScopePart || !each(c.Region, scoped):
		return failf(Mismatch, "Credential should be scoped to a valid region. ")
	case len(c.Service) > maxScopePart || !each(c.Service, scoped):
		return failf(Mismatch, "Credential should be scoped to a valid service. ")
	case p[4] != terminator:
		return failf(Mismatch, "Credential should be scoped with a valid terminator: "+
			"'%s', not '%s'.", terminator, printable(p[4]))
	case c.day != c.date[:len(dayFormat)]:
		return failf(Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 "+
			"version of date from HTTP: '%s' != '%s', from '%s'.",
			printable(c.day), c.date[:len(dayFormat)], c.date)
	}
	return nil
}

// printable keeps what a client sent from breaking a log or a page.
func printable(s string) string {
	const longest = 128
	clean := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	if len(clean) > longest {
		return clean[:longest] + "..."
	}
	return clean
}
