package export

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
)

const (
	keyFolder  = "CloudTrail-Keys"
	keySuffix  = ".key"  // the private key, sealed
	listSuffix = ".json" // the public key, as ListPublicKeys answers
	noteSuffix = ".note" // says that the key is the store's
	keyBits    = 2048
	keyPurpose = "audit-digest"
	keyLabel   = "audit/digest-key"
)

// signingKey signs the digests in a directory.
type signingKey struct {
	private     *rsa.PrivateKey
	fingerprint string
}

// publicKeys is the answer of CloudTrail's ListPublicKeys.
type publicKeys struct {
	List []publicKey `json:"PublicKeyList"`
}

type publicKey struct {
	Value       []byte    `json:"Value"` // DER of PKCS #1
	From        time.Time `json:"ValidityStartTime"`
	Until       time.Time `json:"ValidityEndTime"`
	Fingerprint string    `json:"Fingerprint"`
}

// validity is how long a key is told to be valid.
const validity = 100 * 365 * 24 * time.Hour

// openKey reads the key of a directory, which only the store opens that it is of, or
// makes one.
func openKey(state *control.Inspection, dir string, now time.Time) (*signingKey, error) {
	names, err := fs.Glob(os.DirFS(dir), keyFolder+"/*"+keySuffix)
	if err != nil {
		return nil, err
	}
	kek := append(seal.Secret(state.MAC(keyLabel, "1")), state.MAC(keyLabel, "2")...)
	defer kek.Wipe()
	if len(names) == 0 {
		return newKey(state, kek, dir, now)
	}
	if len(names) > 1 {
		return nil, fault.New(fault.Invalid, "%s holds more than one key",
			filepath.Join(dir, keyFolder))
	}
	name := filepath.Join(dir, filepath.FromSlash(names[0]))
	box, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	fingerprint := strings.TrimSuffix(filepath.Base(name), keySuffix)
	der, err := seal.Unwrap(kek, keyPurpose, []byte(fingerprint), box)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, name+" is damaged, or of another store: "+
			"export to another directory")
	}
	defer der.Wipe()
	private, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &signingKey{private, fingerprint}, nil
}

func newKey(
	state *control.Inspection, kek seal.Secret, dir string, now time.Time,
) (*signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the key that signs digests: %w", err)
	}
	public := x509.MarshalPKCS1PublicKey(&private.PublicKey)
	sum := sha256.Sum256(public)
	k := &signingKey{private, hex.EncodeToString(sum[:16])}
	der := seal.Secret(x509.MarshalPKCS1PrivateKey(private))
	defer der.Wipe()
	box, err := seal.Wrap(kek, keyPurpose, []byte(k.fingerprint), der)
	if err != nil {
		return nil, err
	}
	now = now.UTC().Truncate(time.Second)
	list, err := json.MarshalIndent(&publicKeys{[]publicKey{
		{public, now.Add(-validity), now.Add(validity), k.fingerprint}}}, "", "  ")
	if err != nil {
		return nil, err
	}
	note, err := audit.SignNote(state, fmt.Sprintf(
		"coffer-audit-digest-key 1\nfingerprint %s\nsha256 %x\n", k.fingerprint, sum))
	if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, keyFolder, k.fingerprint)
	for _, f := range []struct {
		suffix string
		text   []byte
	}{{noteSuffix, note}, {listSuffix, append(list, '\n')}, {keySuffix, box}} { // the key last
		if err := writeFile(base+f.suffix, f.text); err != nil {
			return nil, err
		}
	}
	return k, nil
}
