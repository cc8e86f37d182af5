package doctor

import (
	"crypto/x509"
	"time"
)

// A Certificate is one that clients or the process rely on.
type Certificate struct {
	Name string // for people: what it is, and its file
	Cert *x509.Certificate
	// Host is the name that it must be good for; "": none.
	Host string
	// Soon is how long before its end somebody should see to it.
	Soon time.Duration
	Do   string // what to do about its end
}

// CheckCertificates looks at the dates and the names of certificates.
func CheckCertificates(r *Report, now time.Time, list []Certificate) {
	const dates, names = "certificate.dates", "certificate.names"
	r.Look(dates)
	for _, c := range list {
		switch left := c.Cert.NotAfter.Sub(now); {
		case now.Before(c.Cert.NotBefore):
			r.Find(dates, Error, "look at the clock; if it is right, have it made anew",
				"%s is valid from %s on only", c.Name, day(c.Cert.NotBefore))
		case left <= 0:
			r.Find(dates, Error, c.Do, "%s has ended at %s", c.Name, day(c.Cert.NotAfter))
		case left < c.Soon:
			r.Find(dates, Warning, c.Do, "%s ends at %s, in %d days", c.Name,
				day(c.Cert.NotAfter), int(left/(24*time.Hour)))
		}
		if c.Host == "" {
			continue
		}
		r.Look(names)
		if err := c.Cert.VerifyHostname(c.Host); err != nil {
			r.Find(names, Error, "have one made for that name, or set --hostname to what clients "+
				"connect to", "%s is not for %s: %v", c.Name, c.Host, err)
		}
	}
}

func day(t time.Time) string { return t.UTC().Format(time.RFC3339) }
