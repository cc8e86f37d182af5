package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// change is one entry of an overlay: what a model gets wrong or lacks.
type change struct {
	// At is a JSON pointer (RFC 6901) into the model; all but its last part
	// must exist.
	At     string `json:"at"`
	Set    any    `json:"set"`    // the new value
	Remove bool   `json:"remove"` // instead of Set
	Why    string `json:"why"`    // and where that is known from
}

// overlay applies changes to a model. A change that changes nothing is an
// error: the model has caught up, and the entry must go.
func overlay(model any, src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	var changes []change
	if err := d.Decode(&changes); err != nil {
		return fmt.Errorf("read overlay: %w", err)
	}
	for _, c := range changes {
		if err := c.apply(model); err != nil {
			return fmt.Errorf("overlay %s: %w", c.At, err)
		}
	}
	return nil
}

func (c change) apply(model any) error {
	if c.Why == "" {
		return fmt.Errorf("no why")
	}
	parts := strings.Split(c.At, "/")
	if parts[0] != "" || len(parts) < 2 {
		return fmt.Errorf("want a pointer that starts with a slash")
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	node, ok := model.(map[string]any)
	for _, p := range parts[1 : len(parts)-1] {
		if node, ok = node[unescape.Replace(p)].(map[string]any); !ok {
			return fmt.Errorf("the model has no object %q there", p)
		}
	}
	last := unescape.Replace(parts[len(parts)-1])
	old, had := node[last]
	switch {
	case c.Remove && !had, !c.Remove && had && reflect.DeepEqual(old, c.Set):
		return fmt.Errorf("changes nothing")
	case c.Remove:
		delete(node, last)
	default:
		node[last] = c.Set
	}
	return nil
}
