package sts

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"coffer/internal/seal"
)

const (
	sessionPrefix = "ASIA" // of access keys of sessions
	tokenVersion  = 1
	tokenAAD      = "coffer/sts/session-token/1/" // and the access key id
	// maxToken bounds a token, in characters: what clients and proxies between
	// them and Coffer take in a header.
	maxToken = 16 << 10
	// maxOpened bounds a token's JSON, in bytes.
	maxOpened = 256 << 10
)

// errToken: these bytes are no token of this store and access key.
var errToken = errors.New("sts: not a session token")

// kind is what a session is of.
type kind string

// The kinds.
const (
	ofRole      kind = "role"
	ofUser      kind = "user" // GetSessionToken, also of a root user
	ofFederated kind = "federated"
)

// session is what a token carries. Times are seconds since 1970.
type session struct {
	Version int    `json:"v"`
	Kind    kind   `json:"k"`
	Account string `json:"a"`
	Secret  string `json:"s"` // secret access key
	Issued  int64  `json:"i"`
	Expires int64  `json:"e"`
	MFA     int64  `json:"m,omitempty"` // when a device was shown; 0 = none was

	// Of a role's session.
	Role   string `json:"r,omitempty"`  // its name
	RoleID string `json:"ri,omitempty"` // that the role must still have
	Source string `json:"so,omitempty"` // source identity

	// Key is the long-term access key that made a user's or federated session.
	Key string `json:"key,omitempty"`

	Name string `json:"n,omitempty"` // of a role's session or of the federated user
	passed
}

// passed is what the caller passed to limit and describe a session.
type passed struct {
	Policy     string   `json:"p,omitempty"`
	PolicyARNs []string `json:"pa,omitempty"`
	Tags       []tag    `json:"t,omitempty"`
	Transitive []string `json:"tt,omitempty"` // keys of Tags
}

type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// sealToken gives the token of a session for an access key. Its form is in
// doc/format/sts.md.
func sealToken(platform *seal.Epochs, accessKeyID string, s *session) (string, error) {
	s.Version = tokenVersion
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	packed, err := pack(text)
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	box, err := platform.SealBox(nil, []byte(tokenAAD+accessKeyID), packed)
	if err != nil {
		return "", fmt.Errorf("session token: %w", err)
	}
	return base64.StdEncoding.EncodeToString(box), nil
}

// openToken gives the session of a token: errToken for any bytes that this store
// did not make for this access key. It does not look at the time.
func openToken(platform *seal.Epochs, accessKeyID, token string) (*session, error) {
	if len(token) > maxToken || len(accessKeyID) > len(sessionPrefix)+16 {
		return nil, errToken
	}
	box, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, errToken
	}
	packed, err := platform.OpenBox(nil, []byte(tokenAAD+accessKeyID), box)
	if err != nil {
		return nil, errToken
	}
	return unpackSession(packed)
}

func unpackSession(packed []byte) (*session, error) {
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxOpened))
	if err != nil {
		return nil, errToken
	}
	s := &session{}
	if err := json.Unmarshal(text, s); err != nil || s.Version != tokenVersion {
		return nil, errToken
	}
	return s, nil
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func (s *session) expired(now time.Time) bool { return now.Unix() >= s.Expires }

// newAccessKeyID makes the name of a session's access key. Like AWS's it tells its
// account: that is bits 7 to 46 of its first six bytes.
func newAccessKeyID(account string) (string, error) {
	n, err := strconv.ParseUint(account, 10, 40)
	if err != nil {
		return "", fmt.Errorf("access key of account %q: %w", account, err)
	}
	b := make([]byte, 10)
	rand.Read(b) // never fails
	head := binary.BigEndian.Uint64(append([]byte{0, 0}, b[:6]...))
	head = head&^(1<<47-1<<7) | n<<7
	copy(b, binary.BigEndian.AppendUint64(nil, head)[2:])
	return sessionPrefix + base32.StdEncoding.EncodeToString(b), nil
}

// accountOf reads the account in the name of a session's access key.
func accountOf(accessKeyID string) (string, bool) {
	name, ok := strings.CutPrefix(accessKeyID, sessionPrefix)
	b, err := base32.StdEncoding.DecodeString(name)
	if !ok || err != nil || len(b) != 10 {
		return "", false
	}
	n := binary.BigEndian.Uint64(append([]byte{0, 0}, b[:6]...)) >> 7 & (1<<40 - 1)
	account := fmt.Sprintf("%012d", n)
	return account, len(account) == 12
}

func newSecretKey() string {
	b := make([]byte, 30)
	rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
