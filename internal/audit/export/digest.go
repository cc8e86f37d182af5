package export

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/internal/fault"
)

const (
	signatureAlgorithm = "SHA256withRSA"
	hashAlgorithm      = "SHA-256"
	endFormat          = "20060102T150405Z"
)

// digest is a digest file; its members are in AWS's order.
type digest struct {
	Account       string     `json:"awsAccountId"`
	Start         time.Time  `json:"digestStartTime"`
	End           time.Time  `json:"digestEndTime"`
	Bucket        string     `json:"digestS3Bucket"`
	Object        string     `json:"digestS3Object"`
	Newest        *time.Time `json:"newestEventTime"`
	Oldest        *time.Time `json:"oldestEventTime"`
	PrevBucket    *string    `json:"previousDigestS3Bucket"`
	PrevObject    *string    `json:"previousDigestS3Object"`
	PrevHash      *string    `json:"previousDigestHashValue"`
	PrevHashKind  *string    `json:"previousDigestHashAlgorithm"`
	PrevSignature *string    `json:"previousDigestSignature"`
	Fingerprint   string     `json:"digestPublicKeyFingerprint"`
	Algorithm     string     `json:"digestSignatureAlgorithm"`
	Logs          []logFile  `json:"logFiles"`
}

// logFile is what a digest says of a file of events.
type logFile struct {
	Bucket        string    `json:"s3Bucket"`
	Object        string    `json:"s3Object"`
	Hash          string    `json:"hashValue"`
	HashAlgorithm string    `json:"hashAlgorithm"`
	Newest        time.Time `json:"newestEventTime"`
	Oldest        time.Time `json:"oldestEventTime"`
}

func (d *digest) add(l logFile) {
	d.Logs = append(d.Logs, l)
	if d.Oldest == nil {
		d.Oldest = &l.Oldest
	}
	d.Newest = &l.Newest
}

// signedDigest is a digest file that is written.
type signedDigest struct {
	digest
	end       time.Time
	hash      string // of its text
	signature string
}

// metadata is what S3 keeps beside the object, and here a file beside the file.
type metadata struct {
	Signature string `json:"signature"`
	Algorithm string `json:"signature-algorithm"`
}

// metadataSuffix is of the file with the metadata of a digest.
const metadataSuffix = ".metadata.json"

// toSign is what the signature of a digest is over.
func (d *digest) toSign(text []byte) []byte {
	previous := "null"
	if d.PrevSignature != nil {
		previous = *d.PrevSignature
	}
	sum := sha256.Sum256(text)
	return fmt.Appendf(nil, "%s\n%s/%s\n%x\n%s", d.End.Format(time.RFC3339), d.Bucket, d.Object,
		sum, previous)
}

// digest signs an hour's digest, writes it, and makes it the chain's end.
func (w *writer) digest(d *digest) error {
	d.Object = path.Join(w.digests(), d.End.Format("2006/01/02"),
		w.digestName()+d.End.Format(endFormat)+".json.gz")
	if p := w.last; p != nil {
		kind := hashAlgorithm
		d.PrevBucket, d.PrevObject, d.PrevHashKind = &p.Bucket, &p.Object, &kind
		d.PrevHash, d.PrevSignature = &p.hash, &p.signature
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(d.toSign(text))
	sig, err := rsa.SignPKCS1v15(nil, w.key.private, crypto.SHA256, sum[:])
	if err != nil {
		return fmt.Errorf("sign digest: %w", err)
	}
	of := sha256.Sum256(text)
	next := &signedDigest{*d, d.End, hex.EncodeToString(of[:]), hex.EncodeToString(sig)}
	beside, err := json.Marshal(&metadata{next.signature, signatureAlgorithm})
	if err != nil {
		return err
	}
	file := filepath.Join(w.cfg.Dir, filepath.FromSlash(d.Object))
	if err := writeFile(file+metadataSuffix, beside); err != nil {
		return err
	}
	if err := w.put(d.Object, text); err != nil {
		return err
	}
	w.last = next
	w.done.Digests++
	return nil
}

// digests is the folder of the digests of an account and Region.
func (w *writer) digests() string {
	return path.Join("AWSLogs", w.scope.Account, "CloudTrail-Digest", w.scope.Region)
}

// digestName begins the names of digests, before their end.
func (w *writer) digestName() string {
	return fmt.Sprintf("%s_CloudTrail-Digest_%s_%s_%s_", w.scope.Account, w.scope.Region,
		w.cfg.Trail, w.scope.Region)
}

// newest gives the last digest that is there.
func (w *writer) newest() (*signedDigest, error) {
	names, err := fs.Glob(os.DirFS(w.cfg.Dir), path.Join(w.digests(), "[0-9]*", "[0-9]*",
		"[0-9]*", w.digestName()+"*.json.gz"))
	if err != nil || len(names) == 0 {
		return nil, err
	}
	name := slices.MaxFunc(names, func(a, b string) int {
		return strings.Compare(path.Base(a), path.Base(b))
	})
	name = filepath.Join(w.cfg.Dir, filepath.FromSlash(name))
	d, err := w.read(name)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("%s: %v; export to another "+
			"directory, or remove what is of another store", name, err))
	}
	return d, nil
}

// read opens a digest, and checks its signature and where it lies.
func (w *writer) read(name string) (*signedDigest, error) {
	text, err := unpack(name)
	if err != nil {
		return nil, err
	}
	beside, err := os.ReadFile(name + metadataSuffix)
	if err != nil {
		return nil, err
	}
	d, err := parseDigest(text, beside, &w.key.private.PublicKey)
	if err != nil {
		return nil, err
	}
	object, err := filepath.Rel(w.cfg.Dir, name)
	if err != nil {
		return nil, err
	}
	switch {
	case d.Object != filepath.ToSlash(object) || d.Account != w.scope.Account:
		return nil, errors.New("it was moved from where it was written")
	case d.Bucket != w.cfg.Bucket:
		return nil, fmt.Errorf("it is of bucket %s", d.Bucket)
	case d.Fingerprint != w.key.fingerprint:
		return nil, errors.New("it was signed by another key")
	case !d.End.Equal(d.Start.Add(time.Hour)) || !d.End.Equal(d.End.Truncate(time.Hour)):
		return nil, errors.New("it is not of an hour")
	}
	return d, nil
}

var errDigest = errors.New("it is not as it was written")

// parseDigest reads a digest file and what lies beside it.
func parseDigest(text, beside []byte, key *rsa.PublicKey) (*signedDigest, error) {
	d, m := &signedDigest{}, &metadata{}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&d.digest); err != nil {
		return nil, fmt.Errorf("%w: %w", errDigest, err)
	}
	if err := json.Unmarshal(beside, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errDigest, err)
	}
	sig, err := hex.DecodeString(m.Signature)
	if err != nil || m.Algorithm != signatureAlgorithm {
		return nil, errDigest
	}
	sum := sha256.Sum256(d.toSign(text))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig); err != nil {
		return nil, fmt.Errorf("%w: the signature is wrong", errDigest)
	}
	of := sha256.Sum256(text)
	d.end, d.hash, d.signature = d.End, hex.EncodeToString(of[:]), m.Signature
	return d, nil
}
