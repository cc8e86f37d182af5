package kms

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"coffer/internal/control"
	"coffer/internal/store"
)

const (
	usualPeriod = 365 // days between automatic rotations where none are named
	// maxOnDemand bounds the rotations of one key that are asked for.
	//
	// Source: KMS API reference, RotateKeyOnDemand.
	maxOnDemand = 25
)

// rotation is the automatic rotation of a key.
type rotation struct {
	Days int32     `json:"days"` // between two of them
	Next time.Time `json:"next"` // what it comes to while the key is disabled is done later
}

// Types of rotations, in the model's spelling.
const (
	rotationAutomatic = "AUTOMATIC"
	rotationOnDemand  = "ON_DEMAND"
)

// turn is a row of control.TableRotation: key (16), number (4, from 0). The row
// with the number 0 is the first material's, which no rotation made; a key that
// was never rotated has no rows.
type turn struct {
	Version  int       `json:"v"`
	Material string    `json:"material"` // hex
	Date     time.Time `json:"date,omitzero"`
	Type     string    `json:"type,omitempty"`
}

func turnRow(key keyID, n uint32) []byte { return binary.BigEndian.AppendUint32(key[:], n) }

func parseTurn(v []byte) (*turn, error) {
	r := &turn{}
	if err := decode(v, r); err != nil {
		return nil, fmt.Errorf("rotation: %w", err)
	}
	if r.Version != rowVersion {
		return nil, fmt.Errorf("%w: rotation to %s", store.ErrDamaged, r.Material)
	}
	return r, nil
}

func (r *turn) save(tx *control.Tx, key keyID, n uint32) error {
	r.Version = rowVersion
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save rotation: %w", err)
	}
	tx.Put(control.TableRotation, turnRow(key, n), v)
	return nil
}

// rotationDue reports whether the key is to be rotated by the clock.
func (k *key) rotationDue(now time.Time) bool {
	return k.State == stateEnabled && k.Rotation != nil && !now.Before(k.Rotation.Next)
}

// rotateByClock rotates a key whose time has come. One that was disabled then is
// rotated when it is enabled, and its period begins anew.
func (s *Service) rotateByClock(tx *control.Tx, k *key) error {
	from := k.Rotation.Next
	if now := tx.Time(); now.Sub(from) > day {
		from = now
	}
	next := from.Add(time.Duration(k.Rotation.Days) * day)
	k.Rotation = &rotation{Days: k.Rotation.Days, Next: next}
	return s.rotate(tx, k, rotationAutomatic)
}

// rotate gives a key new material to encrypt with. What the old material made
// is opened with it as before: ciphertexts name their material.
//
// Source: KMS Developer Guide, "Rotate AWS KMS keys" and the log entry "RotateKey".
func (s *Service) rotate(tx *control.Tx, k *key, how string) error {
	id, old := k.id(), k.Material
	m, err := makeMaterial(k.Spec)
	if err != nil {
		return err
	}
	defer m.secret.Wipe()
	if k.Rotations == 0 {
		if err := (&turn{Material: old}).save(tx, id, 0); err != nil {
			return err
		}
	}
	if k.Material, err = m.store(tx, id); err != nil {
		return err
	}
	k.Rotations++
	r := &turn{Material: k.Material, Date: tx.Time(), Type: how}
	if err := r.save(tx, id, k.Rotations); err != nil {
		return err
	}
	err = s.record(tx, k, "RotateKey", map[string]any{
		"keyId": k.ID, "rotationType": how, "keyOrigin": originKMS,
		"previousKeyMaterialId": old, "currentKeyMaterialId": k.Material,
	})
	if err != nil {
		return err
	}
	return k.save(tx)
}

// rotateYearly gives a key that a service has the rotation that all such keys
// have, if its row is older than rotations.
func (k *key) rotateYearly(tx *control.Tx) error {
	old, err := load(tx, k.id())
	if err != nil || old == nil || old.Rotation != nil {
		return err
	}
	old.Rotation = &rotation{Days: usualPeriod, Next: old.Created.Add(usualPeriod * day)}
	return old.save(tx)
}
