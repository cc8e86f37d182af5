package peer

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"

	"coffer/internal/fault"
)

// maxURI bounds the text of a URI, in octets.
const maxURI = 4096

// URI is an AMQP URI with RabbitMQ's query parameters
// (rabbitmq.com/docs/uri-spec, uri-query-parameters). It shows itself without user,
// password and query.
type URI struct {
	secure   bool
	host     string // "": the local broker
	port     int    // 0: the scheme's
	vhost    string
	path     string // the virtual host as it was written, with its slash
	user     string
	password *Secret // nil: none is named
	named    bool    // a user is
	query
}

// ParseURI reads a URI. One without a path is of the virtual host given. The error's
// text has RabbitMQ's form and shows neither user, password nor query.
func ParseURI(text, vhost string) (*URI, error) {
	u := &URI{vhost: vhost}
	if err := u.parse(text); err != nil {
		shown := Mask(text)
		return nil, fmt.Errorf("%q not a valid URI: {%w,%q}", shown, err, shown)
	}
	return u, nil
}

func (u *URI) parse(text string) error {
	if len(text) > maxURI {
		return fmt.Errorf("{too_long,%d}", len(text))
	}
	for _, r := range text {
		if r <= ' ' || r == 0x7f {
			return fmt.Errorf("{unable_to_parse_uri,malformed}")
		}
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return fmt.Errorf("{unable_to_parse_uri,no_scheme}")
	}
	switch strings.ToLower(scheme) {
	case "amqp":
	case "amqps":
		u.secure = true
	default:
		if !plainScheme(scheme) {
			return fmt.Errorf("{unable_to_parse_uri,malformed}")
		}
		return fmt.Errorf("{unexpected_uri_scheme,%q}", strings.ToLower(scheme))
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, q, _ := strings.Cut(rest, "?")
	authority, path, ok := strings.Cut(rest, "/")
	if ok {
		if strings.Contains(path, "/") {
			return fmt.Errorf("{invalid_vhost,\"it has a slash: write %%2f\"}")
		}
		var err error
		if u.vhost, err = unescape(path); err != nil {
			return err
		}
		u.path = "/" + path
	}
	if err := u.authority(authority); err != nil {
		return err
	}
	return u.query.parse(q, u.secure)
}

func plainScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(s[i]))) {
			return false
		}
	}
	return s != ""
}

// authority reads user, password, host and port.
func (u *URI) authority(text string) error {
	if who, where, ok := strings.Cut(text, "@"); ok {
		text = where
		name, password, ok := strings.Cut(who, ":")
		password, _, _ = strings.Cut(password, ":")
		var err error
		if u.user, err = unescape(name); err != nil {
			return err
		}
		u.named = who != ""
		if ok {
			if password, err = unescape(password); err != nil {
				return fmt.Errorf("{unterminated_entity,password}")
			}
			u.password = &Secret{password}
		}
	}
	host, port := text, ""
	if end := strings.IndexByte(text, ']'); strings.HasPrefix(text, "[") && end > 0 {
		host, port = text[1:end], text[end+1:]
		if port != "" && port[0] != ':' || net.ParseIP(host) == nil {
			return fmt.Errorf("{unable_to_parse_uri,malformed}")
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(text, ":")
	}
	var err error
	if u.host, err = unescape(host); err != nil {
		return err
	}
	if net.ParseIP(u.host) == nil && !plainHost(u.host) {
		return fmt.Errorf("{unable_to_parse_uri,malformed}")
	}
	if port == "" {
		return nil
	}
	if u.port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("{unable_to_parse_uri,malformed}")
	}
	if u.port < 1 || u.port > 65535 {
		return fmt.Errorf("{port_out_of_range,%d}", u.port)
	}
	if u.host == "" {
		return fmt.Errorf("port_requires_host")
	}
	return nil
}

// plainHost accepts names, and the empty one.
func plainHost(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') &&
			strings.IndexByte("-._", s[i]) < 0 {
			return false
		}
	}
	return true
}

// unescape undoes percent-encoding.
func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if len(s) < i+3 {
			return "", fmt.Errorf("{unterminated_entity,\"%%\"}")
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("{invalid_entitiy,\"%%\"}") // RabbitMQ's spelling
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), nil
}

// Mask gives what may be shown of a URI, or of what should be one: scheme, host, port and
// path. Where a password might stand, nothing is shown.
func Mask(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !plainScheme(scheme) || len(text) > maxURI {
		return "..."
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	host, _, _ := strings.Cut(rest, "/")
	port := host[strings.LastIndexByte(host, ']')+1:]
	if _, digits, ok := strings.Cut(port, ":"); ok && strings.Trim(digits, "0123456789") != "" {
		return scheme + "://..."
	}
	return strings.ToValidUTF8(scheme+"://"+rest, "?")
}

// Local reports whether the URI names no host: it leads to the broker itself.
func (u *URI) Local() bool { return u.host == "" }

// ActFor makes what leads to the broker itself without a password act for a user, with
// that user's permissions; for "", for the broker, which may do everything. It fails
// when the URI names another user, whom only a password may speak for. What leads
// elsewhere stays as it is.
func (u *URI) ActFor(user string) error {
	if !u.Local() || u.password != nil || user == "" {
		return nil
	}
	if u.named && u.user != user {
		return fault.New(fault.Invalid, "%q: it names another user than the one who sets it; "+
			"give a password too", u.String())
	}
	u.user = user
	return nil
}

// Vhost is the virtual host.
func (u *URI) Vhost() string { return u.vhost }

// User is the user that the URI names; "": none.
func (u *URI) User() string { return u.user }

// String gives the URI without user, password and query, as RabbitMQ shows it in
// statuses and headers.
func (u *URI) String() string {
	scheme, host := "amqp://", u.host
	if u.secure {
		scheme = "amqps://"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.port != 0 {
		host += ":" + strconv.Itoa(u.port)
	}
	return scheme + host + u.path
}

// LogValue shows what String does.
func (u *URI) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalJSON shows what String does.
func (u *URI) MarshalJSON() ([]byte, error) { return json.Marshal(u.String()) }

// Secret is a password. It shows itself to nobody.
type Secret struct{ text string }

const redacted = "[redacted]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the secret.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Self is a URI of a virtual host of the broker itself, as nobody.
func Self(vhost string) *URI {
	return &URI{vhost: vhost, path: "/" + url.PathEscape(vhost)}
}
