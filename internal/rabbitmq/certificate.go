package rabbitmq

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"coffer/internal/fault"
)

// LoginFrom says what of a client's certificate is the name of its user: RabbitMQ's
// ssl_cert_login_from, and after a colon its ssl_cert_login_san_type. The zero value is
// FromDistinguishedName.
type LoginFrom string

// What may name a user. Of several alternative names of a type the first does.
const (
	FromDistinguishedName LoginFrom = "distinguished_name" // CN=ann,O=shop
	FromCommonName        LoginFrom = "common_name"        // several are joined by commas
	FromDNSName           LoginFrom = "subject_alternative_name"
	FromEmail             LoginFrom = "subject_alternative_name:email"
	FromIP                LoginFrom = "subject_alternative_name:ip"
	FromURI               LoginFrom = "subject_alternative_name:uri"
)

// ParseLoginFrom reads a LoginFrom; "" is the default. Errors: fault.Invalid.
func ParseLoginFrom(text string) (LoginFrom, error) {
	switch from := LoginFrom(text); from {
	case "":
		return FromDistinguishedName, nil
	case FromDNSName + ":dns":
		return FromDNSName, nil
	case FromDistinguishedName, FromCommonName, FromDNSName, FromEmail, FromIP, FromURI:
		return from, nil
	}
	return "", fault.New(fault.Invalid, "%q is neither distinguished_name nor common_name nor "+
		"subject_alternative_name, with :dns, :email, :ip or :uri", text)
}

// Identify gives the user of a certificate that TLS has verified: nobody else's password
// or certificate is asked for. Errors: [fault.Unauthenticated].
func (b *Broker) Identify(_ context.Context, certificate *x509.Certificate) (
	user string, err error,
) {
	name, err := b.engine.login.name(certificate)
	if err != nil {
		return "", fault.Wrap(fault.Unauthenticated, err, "invalid credentials")
	}
	if _, ok := b.state.Load().member(name); !ok {
		return name, fault.New(fault.Unauthenticated, "invalid credentials")
	}
	return name, nil
}

// name finds the name that a certificate gives; an error says that it has none.
func (from LoginFrom) name(c *x509.Certificate) (string, error) {
	var names []string
	switch from {
	case FromCommonName:
		list, err := commonNames(c)
		if err != nil {
			return "", err
		}
		if len(list) > 0 {
			names = []string{strings.Join(list, ",")}
		}
	case FromDNSName:
		names = c.DNSNames
	case FromEmail:
		names = c.EmailAddresses
	case FromIP:
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
	case FromURI:
		for _, u := range c.URIs {
			names = append(names, u.String())
		}
	default:
		name, err := distinguishedName(c)
		if err != nil {
			return "", err
		}
		names = []string{name}
	}
	if len(names) == 0 || names[0] == "" {
		return "", fmt.Errorf("the certificate has no %s", from)
	}
	return names[0], nil
}

func subject(c *x509.Certificate) (s pkix.RDNSequence, err error) {
	rest, err := asn1.Unmarshal(c.RawSubject, &s)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the subject", len(rest))
	}
	return s, err
}

// objectNames are the attributes of subjects that RabbitMQ has names for.
var objectNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C",
	"2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"2.5.4.12": "TITLE", "2.5.4.42": "GIVENNAME", "2.5.4.43": "INITIALS",
	"2.5.4.44": "GENERATIONQUALIFIER", "2.5.4.46": "DNQ", "2.5.4.65": "PSEUDONYM",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"1.2.840.113549.1.9.1": "EMAILADDRESS",
}

// distinguishedName writes the subject as RFC 4514 does, the last part first, in the
// words of RabbitMQ.
func distinguishedName(c *x509.Certificate) (string, error) {
	s, err := subject(c)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, set := range slices.Backward(s) {
		var list []string
		for _, a := range set {
			name, ok := objectNames[a.Type.String()]
			if !ok {
				name = a.Type.String()
			}
			list = append(list, name+"="+escapeName(fmt.Sprint(a.Value)))
		}
		parts = append(parts, strings.Join(list, "+"))
	}
	return strings.Join(parts, ","), nil
}

// escapeName writes a value of a distinguished name.
func escapeName(value string) string {
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		switch {
		case strings.IndexByte(`,+"\<>;`, c) >= 0, c == '#' && i == 0,
			c == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 127:
			fmt.Fprintf(&b, `\%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func commonNames(c *x509.Certificate) (list []string, err error) {
	s, err := subject(c)
	for _, set := range s {
		for _, a := range set {
			if a.Type.String() == "2.5.4.3" {
				list = append(list, fmt.Sprint(a.Value))
			}
		}
	}
	return list, err
}
