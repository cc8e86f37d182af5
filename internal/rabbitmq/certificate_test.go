package rabbitmq

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"coffer/internal/fault"
)

// certificate makes one with that subject, and alternative names.
func certificate(t *testing.T, subject pkix.RDNSequence) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	raw, err := asn1.Marshal(subject)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: raw, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"ann.example", "b.example"}, EmailAddresses: []string{"a@example"},
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
		URIs:        []*url.URL{{Scheme: "urn", Opaque: "a"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}

// named makes a part of a subject.
func named(parts ...any) (set pkix.RelativeDistinguishedNameSET) {
	for i := 0; i < len(parts); i += 2 {
		var id asn1.ObjectIdentifier
		switch parts[i] {
		case "CN":
			id = asn1.ObjectIdentifier{2, 5, 4, 3}
		case "O":
			id = asn1.ObjectIdentifier{2, 5, 4, 10}
		case "DC":
			id = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
		default:
			id = asn1.ObjectIdentifier{1, 2, 3, 4}
		}
		set = append(set, pkix.AttributeTypeAndValue{Type: id, Value: parts[i+1]})
	}
	return set
}

// TestCertificateNames: what of a certificate names its user.
func TestCertificateNames(t *testing.T) {
	t.Parallel()
	ann := certificate(t, pkix.RDNSequence{named("DC", "example"), named("O", "shop"),
		named("CN", "ann")})
	odd := certificate(t, pkix.RDNSequence{named("O", `#a,b+"c\d<e>;f`), named("CN", " x "),
		named("CN", "y", "?", "z\n")})
	none := certificate(t, pkix.RDNSequence{})
	for _, c := range []struct {
		from LoginFrom
		cert *x509.Certificate
		want string // "": none
	}{
		{FromDistinguishedName, ann, "CN=ann,O=shop,DC=example"},
		{"", ann, "CN=ann,O=shop,DC=example"},
		{FromDistinguishedName, odd, `CN=y+1.2.3.4=z\0A,CN=\ x\ ,O=\#a\,b\+\"c\\d\<e\>\;f`},
		{FromDistinguishedName, none, ""}, {FromCommonName, ann, "ann"},
		{FromCommonName, odd, " x ,y"}, {FromCommonName, none, ""},
		{FromDNSName, ann, "ann.example"}, {FromEmail, ann, "a@example"},
		{FromIP, ann, "10.0.0.1"}, {FromURI, ann, "urn:a"},
	} {
		got, err := c.from.name(c.cert)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, want %q; %v", c.from, got, c.want, err)
		}
	}
	for text, want := range map[string]LoginFrom{
		"": FromDistinguishedName, "common_name": FromCommonName,
		"subject_alternative_name:dns": FromDNSName, "subject_alternative_name:ip": FromIP,
	} {
		if got, err := ParseLoginFrom(text); got != want || err != nil {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	_, err := ParseLoginFrom("cn")
	refused(t, err, fault.Invalid, `"cn" is neither`)
}

// TestIdentify: a certificate is of a user that there is, whatever its password.
func TestIdentify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ann := certificate(t, pkix.RDNSequence{named("CN", "ann")})
	_, err := b.Identify(t.Context(), ann)
	refused(t, err, fault.Unauthenticated, "invalid credentials")
	_, err = b.PutUser(t.Context(), UserSpec{Name: "CN=ann"})
	must(t, err)
	if user, err := b.Identify(t.Context(), ann); user != "CN=ann" || err != nil {
		t.Error(user, err)
	}
	_, err = b.Identify(t.Context(), certificate(t, pkix.RDNSequence{}))
	refused(t, err, fault.Unauthenticated, "invalid credentials")
}

// FuzzEscapeName: a value cannot end its part of a name.
func FuzzEscapeName(f *testing.F) {
	f.Add("ann,O=other")
	f.Add(`\`)
	f.Add(" #")
	f.Fuzz(func(t *testing.T, value string) {
		escaped, plain := escapeName(value), 0
		for i := 0; i < len(escaped); i++ {
			switch escaped[i] {
			case '\\':
				i++
			case ',', '+', '"', '<', '>', ';':
				t.Fatalf("%q is written as %q", value, escaped)
			}
			plain++
		}
		if plain < len(value) {
			t.Errorf("%q is written as %q", value, escaped)
		}
	})
}
