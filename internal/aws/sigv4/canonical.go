package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

// canonical gives the canonical request, which is what a signature covers.
// Source: IAM User Guide, "Create a signed AWS API request".
func (c *Claim) canonical(r *http.Request, payload string) string {
	method := r.Method
	if method == "" {
		method = http.MethodGet // a client's request
	}
	var b strings.Builder
	b.WriteString(method + "\n" + canonicalPath(r.URL, c.Service) + "\n" +
		canonicalQuery(splitQuery(r.URL.RawQuery)) + "\n")
	for _, name := range c.headers {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(c.headers, ";") + "\n" + payload)
	return b.String()
}

// stringToSign is what the key signs.
func (c *Claim) stringToSign(canonical string) string {
	scope := c.day + "/" + c.Region + "/" + c.Service + "/" + terminator
	return algorithm + "\n" + c.date + "\n" + scope + "\n" + hash([]byte(canonical))
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// headerValue joins a header's values, trimmed and without runs of spaces.
func headerValue(r *http.Request, name string) string {
	if name == "host" {
		if r.Host != "" {
			return squeeze(r.Host)
		}
		return squeeze(r.URL.Host)
	}
	values := r.Header.Values(name)
	if name == "content-length" && len(values) == 0 {
		return strconv.FormatInt(r.ContentLength, 10) // Go's clients keep it out of the header
	}
	squeezed := make([]string, len(values))
	for i, v := range values {
		squeezed[i] = squeeze(v)
	}
	return strings.Join(squeezed, ",")
}

func squeeze(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " ")
}

// canonicalPath encodes the path once more than it is on the wire; S3 alone
// takes it once encoded and does not resolve dots and slashes.
func canonicalPath(u *url.URL, service string) string {
	if service == "s3" {
		return escape(absolute(u.Path), true)
	}
	return escape(normalize(wirePath(u)), true)
}

// wirePath is the path as it travels. EscapedPath alone would not do: it
// rewrites bytes that should have been escaped and were not.
func wirePath(u *url.URL) string {
	if u.RawPath != "" {
		if p, err := url.PathUnescape(u.RawPath); err == nil && p == u.Path {
			return u.RawPath
		}
	}
	return u.EscapedPath()
}

func absolute(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// normalize removes empty and dot segments (RFC 3986, section 5.2.4), and
// keeps a slash at the end.
func normalize(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return absolute(path)
	}
	var kept []string
	last := ""
	for last = range strings.SplitSeq(path, "/") {
		switch last {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, last)
		}
	}
	p := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && (last == "" || last == "." || last == "..") {
		p += "/"
	}
	return p
}

// escape percent-encodes all but RFC 3986's unreserved characters and, in a
// path, slashes.
func escape(s string, path bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', path && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
