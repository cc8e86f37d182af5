package keyring

import (
	"errors"
	"maps"
	"slices"

	"coffer/internal/fault"
)

// The classes of reasons why a domain is locked. What a key's state, a policy or a grant
// takes away stays until somebody gives it back; what is unreachable is asked again.
const (
	Unusable    = "unusable"    // the key is disabled, is to be deleted or has no material
	Denied      = "denied"      // a policy or grant does not allow the use
	Missing     = "missing"     // there is no such key
	Unreachable = "unreachable" // the KMS gave no answer, or is being changed
)

// Reasons are all classes.
func Reasons() []string { return []string{Unusable, Denied, Missing, Unreachable} }

// ReasonOf gives the class of what a source or [Domain.Locked] gave; "" of nil.
func ReasonOf(err error) string {
	if err == nil {
		return ""
	}
	class := Unreachable
	for err != nil { // the last one that says something is the cause
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			break
		}
		switch f.Kind {
		case fault.KeyUnavailable:
			class = Unusable
		case fault.Denied:
			class = Denied
		case fault.NotFound:
			class = Missing
		}
		err = f.Err
	}
	return class
}

// Stats counts domains.
type Stats struct {
	Open   int
	Locked map[string]int // by class of the reason; all classes are there
}

// Stats counts the domains as they are now.
func (k *Keyring) Stats() Stats {
	k.mu.Lock()
	all := slices.Collect(maps.Values(k.domains))
	k.mu.Unlock()
	s := Stats{Locked: map[string]int{}}
	for _, class := range Reasons() {
		s.Locked[class] = 0
	}
	for _, d := range all {
		if err := d.Locked(); err != nil {
			s.Locked[ReasonOf(err)]++
		} else {
			s.Open++
		}
	}
	return s
}
