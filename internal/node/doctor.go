package node

import (
	"context"
	"crypto/fips140"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"coffer/internal/doctor"
	"coffer/internal/fault"
	"coffer/internal/listen"
	"coffer/internal/rootkey"
	"coffer/internal/store/embedded"
	"coffer/internal/tlsx"
)

const (
	stateStopped = "stopped"

	day = 24 * time.Hour
	// soonLeaf and soonCA are how long before its end a certificate should be seen to.
	soonLeaf = 21 * day
	soonCA   = 365 * day
)

// Doctor looks at a data directory and the machine it is on: by way of the process that
// serves or waits there, which knows its own settings, else by itself with those of cfg.
// It asks nobody for a root key; without one it looks at what needs none.
func Doctor(ctx context.Context, cfg Config) (*doctor.Report, error) {
	cfg.Logger = slog.New(slog.DiscardHandler)
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, err
	}
	cfg.Data, cfg.Secrets.Prompt = data, nil
	r := &doctor.Report{}
	err = askOperator(ctx, data, "doctor", struct{}{}, r)
	if err == nil || fault.KindOf(err) != fault.Unavailable {
		return r, err
	}
	e := &examination{
		cfg: &cfg, r: &doctor.Report{Data: data, State: stateStopped}, now: time.Now,
	}
	e.stopped(ctx)
	e.r.Sort()
	return e.r, nil
}

// An examination is one look at a data directory.
type examination struct {
	cfg    *Config
	r      *doctor.Report
	now    func() time.Time
	source rootkey.Source // of the root key; zero: it is not known
}

// machine looks at what needs neither the store nor its keys.
func (e *examination) machine() {
	e.limits()
	e.settings()
	e.certificates()
	doctor.CheckPublic(e.r, e.cfg.Listen)
	if _, err := os.Stat(e.cfg.Data); errors.Is(err, fs.ErrNotExist) {
		e.r.Skip("disk", "there is no data directory yet")
		e.r.Skip("file", "there is no data directory yet")
		return
	}
	e.disk()
	doctor.Files{
		Dir: e.cfg.Data, Owner: -1, Secret: []string{fileRootKey, fileCredentials, fileMainAdmin},
		Public: []string{fileCA, fileEndpoints},
	}.Check(e.r)
	e.secrets()
}

func (e *examination) limits() {
	l := doctor.System()
	open, most := descriptors()
	l.Serving, l.Connections = e.r.State != stateStopped, listen.DefaultMaxConnections
	l.Open, l.Files = uint64(open), uint64(most)
	l.GoMemory, l.Procs = debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0)
	l.Check(e.r)
}

func (e *examination) disk() {
	d, total, err := doctor.Space(e.cfg.Data)
	if err != nil {
		e.r.Skip("disk", "the system does not tell of its disks")
		return
	}
	store := embedded.Config{
		LowWaterBytes: e.cfg.lowWaterBytes, LowWaterPercent: e.cfg.lowWaterPercent,
	}
	d.LowWater = store.LowWater(total)
	if d.Syncs, err = doctor.MeasureSync(e.cfg.Data); err != nil {
		e.r.Find("disk.write", doctor.Error, "run this as the user who serves the directory, and "+
			"make sure that it can be written to", "nothing can be written: %v", err)
	}
	d.Check(e.r)
}

// secrets looks for what lies beside the data and opens them.
func (e *examination) secrets() {
	switch {
	case e.source.Kind == "":
		e.r.Skip("key.beside", "it is not known where the root key is")
	case e.source.Kind != rootkey.Key || e.source.Place != rootkey.File:
		e.r.Look("key.beside")
	default:
		doctor.CheckRootKey(e.r, e.source.Name, e.cfg.Data)
	}
	const id = "credentials.file"
	e.r.Look(id)
	if _, err := os.Stat(filepath.Join(e.cfg.Data, fileMainAdmin)); err == nil {
		e.r.Find(id, doctor.Warning, "keep the password where you keep others and remove the "+
			"file; `coffer env` needs it, and nothing else does",
			"the password of user %s of broker main is in %s", mainUser, fileMainAdmin)
	}
	if _, err := os.Stat(filepath.Join(e.cfg.Data, fileCredentials)); err == nil {
		e.r.Find(id, doctor.Note, "give clients users or roles of their own; commands on this "+
			"machine use the file", "an access key of the root user is in %s", fileCredentials)
	}
}

// settings looks for what makes the process less safe than it could be.
func (e *examination) settings() {
	for _, s := range []struct {
		id       string
		found    bool
		severity doctor.Severity
		seen, do string
	}{
		{"setting.plain", e.cfg.InsecureLoopback, doctor.Warning,
			"AMQP without TLS is open on loopback", "leave --insecure-loopback to test machines"},
		{"setting.revocation", e.cfg.revocationDelay > 0, doctor.Warning,
			"keys that are taken away stay in use for " + e.cfg.revocationDelay.String(),
			"set --revocation immediate"},
		{"setting.tls", fips140.Enabled() && e.cfg.tlsProfile != tlsx.FIPS, doctor.Warning,
			"the build is for FIPS 140-3, and the TLS profile is " + string(e.cfg.tlsProfile),
			"set --tls-profile fips"},
		{"setting.lint", e.cfg.Lint == "off", doctor.Note,
			"names that look like personal data or secrets are not told of",
			"set --lint warn or refuse"},
		{"setting.heads", e.cfg.AuditHeads == "", doctor.Note,
			"heads of the audit trail are kept in the store alone, which cannot show that an " +
				"old copy was put back", "set --audit-heads to a file that is kept elsewhere"},
	} {
		if e.r.Look(s.id); s.found {
			e.r.Find(s.id, s.severity, s.do, "%s", s.seen)
		}
	}
}

// certificates looks at those in files; the process makes its own anew in time.
func (e *examination) certificates() {
	const id = "certificate.file"
	var list []doctor.Certificate
	read := func(file string, of func(i int, c *x509.Certificate) doctor.Certificate) {
		e.r.Look(id)
		text, err := os.ReadFile(file)
		var certs []*x509.Certificate
		if err == nil {
			certs, err = tlsx.ParseCertificates(text)
		}
		if err != nil {
			e.r.Find(id, doctor.Error, "put back a file with certificates", "%s: %v", file, err)
		}
		for i, c := range certs {
			list = append(list, of(i, c))
		}
	}
	for i, file := range e.cfg.TLSCert {
		pair := tlsx.Pair{Cert: file, Key: e.cfg.TLSKey[i]}
		if _, err := tlsx.LoadFiles(pair); err != nil {
			e.r.Find(id, doctor.Error, "put a matching pair there", "%v", err)
			continue
		}
		read(file, func(i int, c *x509.Certificate) doctor.Certificate {
			x := doctor.Certificate{Name: file, Cert: c, Soon: soonLeaf,
				Do: "have it renewed; new files are taken into use without a restart"}
			if i == 0 {
				x.Host = e.cfg.Hostname
			}
			return x
		})
	}
	for _, file := range e.cfg.ClientCA {
		read(file, func(_ int, c *x509.Certificate) doctor.Certificate {
			return doctor.Certificate{Name: file, Cert: c, Soon: soonLeaf,
				Do: "have its holder renew it, and name both with --client-ca meanwhile"}
		})
	}
	ca := filepath.Join(e.cfg.Data, fileCA)
	if _, err := os.Stat(ca); err == nil && len(e.cfg.TLSCert) == 0 {
		read(ca, func(_ int, c *x509.Certificate) doctor.Certificate {
			return doctor.Certificate{Name: ca, Cert: c, Soon: soonCA,
				Do: "go over to another in time (coffer certificates rotate-ca)"}
		})
	}
	doctor.CheckCertificates(e.r, e.now(), list)
}
