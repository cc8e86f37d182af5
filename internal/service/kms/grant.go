package kms

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/policy"
	"coffer/internal/store"
)

// grantID names a grant; clients see it as 64 hex digits.
type grantID = [32]byte

// grant is a row of control.TableGrant: key (16), id (32).
type grant struct {
	Version         int               `json:"v"`
	ID              string            `json:"id"`
	Key             string            `json:"key"`
	KeyARN          string            `json:"keyArn"`
	Region          string            `json:"region"`
	Name            string            `json:"name,omitempty"`
	Grantee         string            `json:"grantee,omitempty"`
	GranteeService  string            `json:"granteeService,omitempty"`
	Retiring        string            `json:"retiring,omitempty"`
	RetiringService string            `json:"retiringService,omitempty"`
	Issuer          string            `json:"issuer"` // account id
	Operations      []string          `json:"operations"`
	Equals          map[string]string `json:"equals,omitempty"`
	Subset          map[string]string `json:"subset,omitempty"`
	SourceARN       string            `json:"sourceArn,omitempty"`
	Created         time.Time         `json:"created"`
	// Suspended is when the grant was suspended; zero = it allows.
	Suspended time.Time `json:"suspended,omitzero"`
	// GranteeID and RetiringID are the unique ids of the users or roles that are named.
	GranteeID  string `json:"granteeId,omitempty"`
	RetiringID string `json:"retiringId,omitempty"`
}

// Grants are found by who may use them, by their name with all they say, and
// by who may retire them.
const (
	grantByGrantee  = 'g' // key (16), MAC of the grantee (16), id (32): operations
	grantByName     = 'n' // key (16), MAC of the request (16): id (32)
	grantByRetiring = 'r' // MAC of Region and principal (16), key (16), id (32): nothing
)

func grantRow(key keyID, id grantID) []byte { return append(key[:], id[:]...) }

func granteePrefix(m macs, key keyID, name string) []byte {
	return append(append([]byte{grantByGrantee}, key[:]...), m.MAC("kms/grantee", name)...)
}

func retiringPrefix(m macs, region, name string) []byte {
	return append([]byte{grantByRetiring}, m.MAC("kms/retiring", region, name)...)
}

// nameRow stands for a named request: another request with this name makes
// another grant unless it says the same.
func (g *grant) nameRow(m macs) []byte {
	said := *g
	said.Version, said.ID, said.Created = rowVersion, "", time.Time{}
	said.Suspended = time.Time{}
	v, err := json.Marshal(&said) // maps are written in the order of their keys
	if err != nil {
		panic(err) // a struct of strings
	}
	id := g.keyID()
	return append(append([]byte{grantByName}, id[:]...), m.MAC("kms/grant-name", string(v))...)
}

func (g *grant) keyID() keyID { return uuid.MustParse(g.Key) }

func (g *grant) id() (id grantID) {
	if n, err := hex.Decode(id[:], []byte(g.ID)); err != nil || n != len(id) {
		panic("kms: grant with a malformed id")
	}
	return id
}

// policy is the grant as decisions see it.
func (g *grant) policy() policy.Grant {
	return policy.Grant{
		ID: g.ID, Grantee: cmp.Or(g.Grantee, g.GranteeService),
		Retiring: cmp.Or(g.Retiring, g.RetiringService), IssuingAccount: g.Issuer,
		Operations: g.Operations, EncryptionContextEquals: g.Equals,
		EncryptionContextSubset: g.Subset, SourceArn: g.SourceARN,
	}
}

// policyFor is policy as it counts for a principal: who was made anew under the name of
// one who was deleted is not who was named.
func (g *grant) policyFor(p *policy.Principal) policy.Grant {
	out, id := g.policy(), p.EntityID()
	if g.GranteeID != "" && g.GranteeID != id {
		out.Grantee = ""
	}
	if g.RetiringID != "" && g.RetiringID != id {
		out.Retiring = ""
	}
	return out
}

// parseGrantID reads what clients name a grant by.
func parseGrantID(s string) (id grantID, err error) {
	if n, err := hex.Decode(id[:], []byte(s)); len(s) != 2*len(id) || err != nil || n != len(id) {
		return id, badGrantID(s)
	}
	return id, nil
}

// loadGrant reads a grant of a key; nil means that there is none.
func loadGrant(tx *control.Tx, key keyID, id grantID) (*grant, error) {
	v, ok, err := tx.Get(control.TableGrant, grantRow(key, id))
	if err != nil || !ok {
		return nil, err
	}
	return parseGrant(v)
}

func parseGrant(v []byte) (*grant, error) {
	g := &grant{}
	if err := decode(v, g); err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	_, err := parseGrantID(g.ID)
	if g.Version != rowVersion || err != nil || uuid.Validate(g.Key) != nil {
		return nil, fmt.Errorf("%w: grant %s", store.ErrDamaged, g.ID)
	}
	return g, nil
}

// save stores a new grant with its indexes, but not that by its name, and counts
// it at its key.
func (g *grant) save(tx *control.Tx, k *key) error {
	g.Version = rowVersion
	v, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("save grant: %w", err)
	}
	key, id, p := k.id(), g.id(), g.policy()
	tx.Put(control.TableGrant, grantRow(key, id), v)
	tx.Put(control.TableGrantIndex, append(granteePrefix(tx, key, p.Grantee), id[:]...),
		g.operations())
	if p.Retiring != "" {
		row := append(retiringPrefix(tx, g.Region, p.Retiring), grantRow(key, id)...)
		tx.Put(control.TableGrantIndex, row, nil)
	}
	k.Grants++
	return k.save(tx)
}

// remove deletes the grant, its indexes and its count.
func (g *grant) remove(tx *control.Tx, k *key) error {
	key, id, p := k.id(), g.id(), g.policy()
	tx.Delete(control.TableGrant, grantRow(key, id))
	tx.Delete(control.TableKeyUse, usedThing{key, id}.row())
	tx.Delete(control.TableGrantIndex, append(granteePrefix(tx, key, p.Grantee), id[:]...))
	if err := g.forgetName(tx); err != nil {
		return err
	}
	if p.Retiring != "" {
		row := append(retiringPrefix(tx, g.Region, p.Retiring), grantRow(key, id)...)
		tx.Delete(control.TableGrantIndex, row)
	}
	k.Grants--
	return k.save(tx)
}

// forgetName ends what makes the name unique, unless it stands for another grant
// that says the same.
func (g *grant) forgetName(tx *control.Tx) error {
	if g.Name == "" {
		return nil
	}
	id := g.id()
	named, ok, err := tx.Get(control.TableGrantIndex, g.nameRow(tx))
	if err == nil && ok && string(named) == string(id[:]) {
		tx.Delete(control.TableGrantIndex, g.nameRow(tx))
	}
	return err
}

// grantOperations are in the order of their bits in the index of grants, for ever.
var grantOperations = []string{
	"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
	"ReEncryptTo", "Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey",
	"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac",
	"DeriveSharedSecret", "Encapsulate", "Decapsulate",
}

// operations is what the index by grantee says of the grant.
func (g *grant) operations() []byte {
	bits := uint32(0)
	for _, op := range g.Operations {
		bits |= 1 << slices.Index(grantOperations, op)
	}
	return binary.BigEndian.AppendUint32(nil, bits)
}

// mayAllow reports whether the grant of an index row may have op. Older rows do not
// tell.
func mayAllow(row []byte, op string) bool {
	at := slices.Index(grantOperations, op)
	return len(row) != 4 || at >= 0 && binary.BigEndian.Uint32(row)>>at&1 == 1
}

// maxOthers bounds the grants of other operations that are read for each form of a
// principal's name: they can only say in an explanation that they do not help.
const maxOthers = 16

// grantsFor gives the grants on a key that may allow op to the call: the one it
// names, or else those whose grantee may be its principal. Suspended ones do not
// allow.
func grantsFor(tx *control.Tx, k *key, call *gateway.Call, op string) ([]policy.Grant, error) {
	if k.Grants == 0 {
		return nil, nil
	}
	if call.Grant != "" {
		id, err := parseGrantID(call.Grant)
		if err != nil {
			return nil, nil // no such grant: nothing allows
		}
		g, err := loadGrant(tx, k.id(), id)
		if g == nil || err != nil || !g.Suspended.IsZero() {
			return nil, err
		}
		return []policy.Grant{g.policyFor(&call.Principal)}, nil
	}
	var found []policy.Grant
	for _, name := range granteeNames(&call.Principal) {
		err := eachGrantOf(tx, k.id(), name, op, func(g *grant) error {
			if g.Suspended.IsZero() {
				found = append(found, g.policyFor(&call.Principal))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// granteeNames are the forms in which a grant can name a principal.
func granteeNames(p *policy.Principal) []string {
	if p.Kind == policy.Service {
		return []string{p.Service}
	}
	var names []string
	for _, n := range []string{p.Account, p.ARN, p.Issuer, rootOf(p.Account)["AWS"]} {
		if n != "" && (len(names) == 0 || names[len(names)-1] != n) {
			names = append(names, n)
		}
	}
	return names
}

// eachGrantOf reads the grants of one grantee that may have op, and a few others.
func eachGrantOf(
	tx *control.Tx, key keyID, grantee, op string, fn func(*grant) error,
) error {
	prefix, others := granteePrefix(tx, key, grantee), 0
	return tx.Scan(control.TableGrantIndex, prefix, func(row, operations []byte) error {
		if !mayAllow(operations, op) {
			if others++; others > maxOthers {
				return nil
			}
		}
		g, err := loadGrant(tx, key, grantID(row[len(prefix):]))
		if err == nil && g == nil {
			err = fmt.Errorf("%w: index of grants of key %s", store.ErrDamaged, uuid.UUID(key))
		}
		if err != nil {
			return err
		}
		return fn(g)
	})
}

// A grant token: version, key (16), grant (32), random (16), MAC (16), in
// base64. Grants work at once here, so it names a grant and gives nothing.
const (
	tokenVersion = 1
	tokenBody    = 1 + 16 + 32 + 16
	tokenSize    = tokenBody + 16
)

// token makes a new token of the grant.
func (g *grant) token(tx *control.Tx) (string, error) {
	key, id := g.keyID(), g.id()
	b := make([]byte, tokenBody, tokenSize)
	b[0] = tokenVersion
	copy(b[1:], key[:])
	copy(b[17:], id[:])
	if _, err := rand.Read(b[49:]); err != nil {
		return "", fmt.Errorf("make grant token: %w", err)
	}
	b = append(b, tx.MAC("kms/token", string(b))...)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// parseToken reads which grant a token names.
func parseToken(tx *control.Tx, token string) (key keyID, id grantID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tokenSize || b[0] != tokenVersion ||
		!hmac.Equal(b[tokenBody:], tx.MAC("kms/token", string(b[:tokenBody]))) {
		return key, id, badToken()
	}
	copy(key[:], b[1:])
	copy(id[:], b[17:])
	return key, id, nil
}

// checkTokens refuses tokens that were not made here.
func checkTokens(tx *control.Tx, tokens []string) error {
	for _, t := range tokens {
		if _, _, err := parseToken(tx, t); err != nil {
			return err
		}
	}
	return nil
}

// entry is how listings show the grant.
func (g *grant) entry() kms.GrantListEntry {
	e := kms.GrantListEntry{
		GrantId: g.ID, KeyId: g.KeyARN, Name: g.Name, CreationDate: g.Created,
		GranteePrincipal: g.Grantee, GranteeServicePrincipal: g.GranteeService,
		RetiringPrincipal: g.Retiring, RetiringServicePrincipal: g.RetiringService,
		IssuingAccount: rootOf(g.Issuer)["AWS"], Operations: g.Operations,
	}
	if len(g.Equals)+len(g.Subset) > 0 || g.SourceARN != "" {
		e.Constraints = &kms.GrantConstraints{
			EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset,
			SourceArn: g.SourceARN,
		}
	}
	return e
}
