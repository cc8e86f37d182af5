// Package export writes an audit trail as AWS CloudTrail delivers one: gzip JSON
// files of events and hourly digest files, each of which is signed and names the
// hashes of the hour's files and the digest before it.
//
// Guarantees: the files and signatures are those that `aws cloudtrail validate-logs`
// accepts; an hour is written once, when it is over; what was interrupted goes on;
// the same store and directory give the same files. It trusts the store: whether
// that was changed, audit.Verify shows before.
//
// Source: AWS CloudTrail User Guide, "CloudTrail log file integrity validation" and
// "CloudTrail digest file structure"
package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"coffer/internal/audit"
	"coffer/internal/fault"
)

// Bounds of a file of events, and the time that one covers.
const (
	slot       = 5 * time.Minute
	maxRecords = 10_000
	maxBytes   = 32 << 20 // of JSON; one event may be larger
)

// Config says what to write where.
type Config struct {
	Dir string // is made when it is missing
	// Bucket and Trail are the names that digests tell; coffer-audit and coffer.
	Bucket, Trail string
	// From and Until bound the hours, in UTC; zero: from the first event, and to the
	// last hour that is over. An hour that is not over is left for another time.
	From, Until     time.Time
	Account, Region string // empty = all
	Now             time.Time
}

// Written is what was written of one account and Region.
type Written struct {
	Account string    `json:"account"`
	Region  string    `json:"region"`
	From    time.Time `json:"from"` // hours from here
	Until   time.Time `json:"until"`
	Events  int       `json:"events"`
	Logs    int       `json:"logs"`
	Digests int       `json:"digests"`
	Left    int       `json:"left"` // events of an hour that is not over, or behind Until
}

// Run writes what is not there yet. A digest that is there, and is not as it was
// written or signed by another key, is an error that names it.
func Run(ctx context.Context, r *audit.Reader, cfg Config) ([]Written, error) {
	if cfg.Bucket == "" {
		cfg.Bucket = "coffer-audit"
	}
	if cfg.Trail == "" {
		cfg.Trail = "coffer"
	}
	over := cfg.Now.UTC().Truncate(time.Hour)
	if cfg.Until.IsZero() || cfg.Until.After(over) {
		cfg.Until = over
	}
	cfg.Until = cfg.Until.UTC().Truncate(time.Hour)
	scopes, err := r.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	key, err := openKey(r.State, cfg.Dir, cfg.Now)
	if err != nil {
		return nil, err
	}
	list := []Written{}
	for _, s := range scopes {
		if cfg.Account != "" && cfg.Account != s.Account ||
			cfg.Region != "" && cfg.Region != s.Region {
			continue
		}
		w := &writer{cfg: &cfg, r: r, key: key, scope: s}
		if err := w.run(ctx); err != nil {
			return nil, fmt.Errorf("export %s %s: %w", s.Account, s.Region, err)
		}
		list = append(list, w.done)
	}
	return list, nil
}

// writer writes one account and Region.
type writer struct {
	cfg   *Config
	r     *audit.Reader
	key   *signingKey
	scope *audit.Scope
	last  *signedDigest // the chain's end; nil = none yet
	done  Written
}

func (w *writer) run(ctx context.Context) error {
	s := w.scope
	if !safe(s.Account) || !safe(s.Region) {
		return fault.New(fault.Invalid, "%q %q is no name of a folder", s.Account, s.Region)
	}
	from := s.First().Truncate(time.Hour)
	if w.cfg.From.After(from) {
		from = w.cfg.From.UTC().Truncate(time.Hour)
	}
	var err error
	if w.last, err = w.newest(); err != nil {
		return err
	}
	if w.last != nil {
		from = w.last.end
	}
	w.done = Written{Account: s.Account, Region: s.Region, From: from, Until: w.cfg.Until}
	for hour := from; hour.Before(w.cfg.Until); hour = hour.Add(time.Hour) {
		if err := w.hour(ctx, hour); err != nil {
			return err
		}
	}
	return w.r.Events(ctx, s, w.cfg.Until, time.Time{}, func(time.Time, []byte) error {
		w.done.Left++
		return nil
	})
}

// safe tells that a name may be a part of a path.
func safe(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// hour writes the files of an hour, and then its digest.
func (w *writer) hour(ctx context.Context, hour time.Time) error {
	d := &digest{
		Account: w.scope.Account, Start: hour, End: hour.Add(time.Hour),
		Bucket: w.cfg.Bucket, Fingerprint: w.key.fingerprint, Algorithm: signatureAlgorithm,
		Logs: []logFile{},
	}
	f := &file{}
	flush := func() error {
		if f.count == 0 {
			return nil
		}
		log, err := w.log(f)
		if err != nil {
			return err
		}
		d.add(log)
		w.done.Logs++
		w.done.Events += f.count
		f = &file{}
		return nil
	}
	err := w.r.Events(ctx, w.scope, hour, d.End, func(at time.Time, text []byte) error {
		if f.count > 0 && (at.Truncate(slot) != f.slot || f.count == maxRecords ||
			f.body.Len()+len(text) > maxBytes) {
			if err := flush(); err != nil {
				return err
			}
		}
		f.add(at, text)
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return w.digest(d)
}

// file gathers events.
type file struct {
	slot          time.Time // of its first event
	first, newest time.Time
	count         int
	body          bytes.Buffer
}

func (f *file) add(at time.Time, text []byte) {
	if f.count == 0 {
		f.slot, f.first = at.Truncate(slot), at
		f.body.WriteString(`{"Records":[`)
	} else {
		f.body.WriteByte(',')
	}
	f.body.Write(text)
	f.newest = at
	f.count++
}

// log writes a file of events. Its name has a part of its digest, so that it is the
// same when it is written again.
func (w *writer) log(f *file) (logFile, error) {
	f.body.WriteString("]}")
	sum := sha256.Sum256(f.body.Bytes())
	unique := base32.StdEncoding.EncodeToString(sum[:])[:16]
	s := w.scope
	object := path.Join("AWSLogs", s.Account, "CloudTrail", s.Region,
		f.slot.Format("2006/01/02"), fmt.Sprintf("%s_CloudTrail_%s_%s_%s.json.gz", s.Account,
			s.Region, f.slot.Format("20060102T1504Z"), unique))
	if err := w.put(object, f.body.Bytes()); err != nil {
		return logFile{}, err
	}
	return logFile{
		Bucket: w.cfg.Bucket, Object: object, Hash: hex.EncodeToString(sum[:]),
		HashAlgorithm: hashAlgorithm, Newest: f.newest.Truncate(time.Second),
		Oldest: f.first.Truncate(time.Second),
	}, nil
}

// put writes a file, packed.
func (w *writer) put(object string, text []byte) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(text)
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	return writeFile(filepath.Join(w.cfg.Dir, filepath.FromSlash(object)), packed.Bytes())
}

// writeFile makes a file whole, durable, or not at all.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	half := name + ".tmp"
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(half, name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxUnpacked bounds what a file of digests may unpack to.
const maxUnpacked = 64 << 20

// unpack reads a packed file.
func unpack(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	if err == nil && len(text) > maxUnpacked {
		err = errors.New("too large")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}
