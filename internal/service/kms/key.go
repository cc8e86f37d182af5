package kms

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/store"
)

// rowVersion is the format of the JSON values in all tables of this package.
const rowVersion = 1

// keyID is the UUID by which a key is stored and named.
type keyID = [16]byte

// key is a row of control.TableKey.
type key struct {
	Version     int       `json:"v"`
	ID          string    `json:"id"`
	Account     string    `json:"account"`
	Region      string    `json:"region"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
	Spec        string    `json:"spec"`
	Usage       string    `json:"usage"`
	Manager     string    `json:"manager"`
	Service     string    `json:"service,omitempty"` // mq; of AWS-managed and AWS-owned keys
	State       string    `json:"state"`
	Material    string    `json:"material"` // hex of the current material's id
	Policy      string    `json:"policy"`
	// Principals are the unique ids of the users and roles that Policy names, by ARN.
	Principals map[string]string `json:"principals,omitempty"`
	Tags       []tag             `json:"tags,omitempty"`    // in the order of their keys
	Aliases    []string          `json:"aliases,omitempty"` // in order, with alias/
	Grants     int               `json:"grants,omitempty"`
	// Deletes is when a key that is pending deletion goes.
	Deletes time.Time `json:"deletes,omitzero"`
	// Rotation is the automatic one; nil = it is off.
	Rotation *rotation `json:"rotation,omitempty"`
	// Rotations counts the rows of control.TableRotation behind the first.
	Rotations uint32 `json:"rotations,omitempty"`
	OnDemand  int    `json:"onDemand,omitempty"` // rotations that were asked for
	// Due is the time of the key's row in the agenda; see agenda.go.
	Due time.Time `json:"due,omitzero"`
}

type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

func (k *key) arn() string {
	return arn.New("kms", k.Region, k.Account, "key/"+k.ID).String()
}

// id gives the stored form; it was checked when the row was read or made.
func (k *key) id() keyID { return uuid.MustParse(k.ID) }

// Keys stand by id, so that a ciphertext finds its own, and are listed by the
// account and Region they belong to.
const (
	keyByID    = 'i' // id (16): the row
	keyByScope = 's' // scope (16), id (16): nothing
	keyByTime  = 't' // time (8), id (16): nothing; see agenda.go
)

func keyRow(id keyID) []byte { return append([]byte{keyByID}, id[:]...) }

// macs makes the digests that stand for names in ids of rows.
type macs interface {
	MAC(label string, parts ...string) []byte
}

// scope stands for an account's keys in a Region.
func scope(m macs, account, region string) []byte {
	return m.MAC("kms/scope", account, region)
}

// load reads a key; nil means that there is none, or none any more: a key ends
// with its waiting period, whenever what it leaves is swept.
func load(tx *control.Tx, id keyID) (*key, error) {
	k, err := loadRow(tx, id)
	if err != nil || k == nil || k.over(tx.Time()) {
		return nil, err
	}
	return k, nil
}

// loadRow reads a key, also one that is over.
func loadRow(tx *control.Tx, id keyID) (*key, error) {
	v, ok, err := tx.Get(control.TableKey, keyRow(id))
	if err != nil || !ok {
		return nil, err
	}
	k := &key{}
	if err := decode(v, k); err != nil {
		return nil, fmt.Errorf("key %s: %w", uuid.UUID(id), err)
	}
	if k.Version != rowVersion || k.ID != uuid.UUID(id).String() {
		return nil, fmt.Errorf("%w: key %s", store.ErrDamaged, uuid.UUID(id))
	}
	return k, nil
}

func (k *key) save(tx *control.Tx) error {
	k.Version = rowVersion
	k.plan(tx)
	v, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("save key %s: %w", k.ID, err)
	}
	tx.Put(control.TableKey, keyRow(k.id()), v)
	return nil
}

// enlist saves a new key and makes it appear in its account's list.
func (k *key) enlist(tx *control.Tx) error {
	id := k.id()
	row := append([]byte{keyByScope}, scope(tx, k.Account, k.Region)...)
	tx.Put(control.TableKey, append(row, id[:]...), nil)
	return k.save(tx)
}

func decode(v []byte, row any) error {
	if err := json.Unmarshal(v, row); err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

// usable refuses a key whose state forbids what an Enabled one may do.
func (k *key) usable() error {
	switch k.State {
	case stateEnabled:
		return nil
	case stateDisabled:
		return disabled(k.arn())
	}
	return k.pending()
}

// pending refuses a key that waits for its deletion.
func (k *key) pending() error {
	if k.State == statePending {
		return badState("%s is pending deletion.", k.arn())
	}
	return nil
}

// editable refuses changes to keys that are not their account's to change.
// Their key policies deny them already; this holds should a policy be wrong.
func (k *key) editable() error {
	if k.Manager != managerCustomer {
		return unsupported("%s is managed by AWS and cannot be changed.", k.arn())
	}
	return nil
}

// purpose refuses a key that is made for another usage than op's.
func (k *key) purpose(op, usage string) error {
	if k.Usage != usage {
		return badUsage("%s key usage is %s which is not valid for %s.", k.arn(), k.Usage, op)
	}
	return nil
}

// materialID gives the id of the current material.
func (k *key) materialID() (id [32]byte, err error) {
	if n, err := hex.Decode(id[:], []byte(k.Material)); err != nil || n != len(id) {
		return id, fmt.Errorf("%w: material id of key %s", store.ErrDamaged, k.ID)
	}
	return id, nil
}

// metadata is how DescribeKey and CreateKey show the key.
func (k *key) metadata() *kms.KeyMetadata {
	sp := specs[k.Spec]
	m := &kms.KeyMetadata{
		AWSAccountId: k.Account, Arn: k.arn(), KeyId: k.ID, CreationDate: k.Created,
		Description: k.Description, Enabled: new(k.State == stateEnabled), KeyState: k.State,
		KeyManager: managerAWS, KeySpec: k.Spec, CustomerMasterKeySpec: k.Spec,
		KeyUsage: k.Usage, MultiRegion: new(false), Origin: originKMS,
	}
	if k.Manager == managerCustomer {
		m.KeyManager = managerCustomer
	}
	if k.State == statePending {
		m.DeletionDate = k.Deletes
	}
	if k.Spec == "ECC_NIST_EDWARDS25519" {
		m.CustomerMasterKeySpec = "" // the deprecated member stayed behind
	}
	switch k.Usage {
	case usageEncrypt:
		m.EncryptionAlgorithms = sp.crypt
	case usageSign:
		m.SigningAlgorithms = sp.sign
	case usageMAC:
		m.MacAlgorithms = sp.mac
	case usageAgreement:
		m.KeyAgreementAlgorithms = sp.agree
	}
	if k.Spec == symmetric {
		m.CurrentKeyMaterialId = k.Material
	}
	return m
}

// DescribeKey tells of a key without its material.
func (s *Service) DescribeKey(ctx context.Context, in *kms.DescribeKeyInput) (
	out *kms.DescribeKeyOutput, err error,
) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, anyName)
		if err == nil {
			err = checkTokens(tx, in.GrantTokens)
		}
		if err == nil {
			out = &kms.DescribeKeyOutput{KeyMetadata: k.metadata()}
		}
		return err
	})
	return out, err
}

// UpdateKeyDescription replaces the description.
func (s *Service) UpdateKeyDescription(ctx context.Context, in *kms.UpdateKeyDescriptionInput) (
	*kms.UpdateKeyDescriptionOutput, error,
) {
	return &kms.UpdateKeyDescriptionOutput{}, s.edit(ctx, in.KeyId,
		func(_ *control.Tx, k *key) error {
			k.Description = in.Description
			return nil
		})
}

// affected shows on the event which key an operation changed that answers nothing.
//
// Source: KMS Developer Guide, log entries recorded since December 2022.
func affected(ctx context.Context, k *key) {
	gateway.From(ctx).SetResponseElements(map[string]any{"keyId": k.arn()})
}

// edit is change for an operation that answers nothing.
func (s *Service) edit(ctx context.Context, name string, fn func(*control.Tx, *key) error) error {
	return s.change(ctx, name, func(tx *control.Tx, k *key) error {
		affected(ctx, k)
		return fn(tx, k)
	})
}

// change changes a key of the caller's account that does not wait for deletion.
func (s *Service) change(
	ctx context.Context, name string, fn func(*control.Tx, *key) error,
) error {
	return s.update(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, name, ownKey)
		if err == nil {
			err = k.editable()
		}
		if err == nil {
			err = k.pending()
		}
		if err == nil {
			err = fn(tx, k)
		}
		if err != nil {
			return err
		}
		return k.save(tx)
	})
}

// text is the string behind a member whose absence and emptiness differ.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
