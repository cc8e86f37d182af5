package kms

import "time"

// Doomed is a key that waits for its deletion, with which all that is sealed under it is
// lost.
type Doomed struct {
	ARN     string
	Deletes time.Time
}

// ParseDoomed reads a row of control.TableKey; ok is false of any other, also of one that
// cannot be read.
func ParseDoomed(id, value []byte) (d Doomed, ok bool) {
	k := &key{}
	if len(id) == 0 || id[0] != keyByID || decode(value, k) != nil || k.State != statePending {
		return d, false
	}
	return Doomed{ARN: k.arn(), Deletes: k.Deletes}, true
}
