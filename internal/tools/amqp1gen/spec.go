package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Spec is the table of facts: numbers, names and types, and no prose.
type Spec struct {
	Types []Type `json:"types"`
}

// Type is a type of the specification. A composite one has a descriptor and fields;
// a restricted one has a source and perhaps a descriptor (a section) or choices.
type Type struct {
	Name    string   `json:"name"`
	Code    int      `json:"code,omitempty"`   // lower half of the descriptor; the upper is 0
	Symbol  string   `json:"symbol,omitempty"` // of the descriptor
	Source  string   `json:"source,omitempty"` // of a restricted type
	Fields  []Field  `json:"fields,omitempty"`
	Choices []Choice `json:"choices,omitempty"`
}

// composite says whether the type is a list of fields.
func (t *Type) composite() bool { return t.Source == "" }

// Field is a field of a composite type. In JSON it is "name:type" and, as far as they
// are so, ":mandatory", ":multiple" and ":=default".
type Field struct {
	Name, Type, Default string
	Mandatory, Multiple bool
}

// MarshalText gives the short form.
func (f Field) MarshalText() ([]byte, error) {
	s := f.Name + ":" + f.Type
	if f.Mandatory {
		s += ":mandatory"
	}
	if f.Multiple {
		s += ":multiple"
	}
	if f.Default != "" {
		s += ":=" + f.Default
	}
	return []byte(s), nil
}

// UnmarshalText reads the short form.
func (f *Field) UnmarshalText(b []byte) error {
	parts := strings.Split(string(b), ":")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return fmt.Errorf("field %q is not name:type", b)
	}
	*f = Field{Name: parts[0], Type: parts[1]}
	for _, p := range parts[2:] {
		value, isDefault := strings.CutPrefix(p, "=")
		switch {
		case p == "mandatory":
			f.Mandatory = true
		case p == "multiple":
			f.Multiple = true
		case isDefault && value != "":
			f.Default = value
		default:
			return fmt.Errorf("field %q: what is %q?", b, p)
		}
	}
	return nil
}

// Choice is a name for a value of a restricted type. In JSON it is "name value".
type Choice struct{ Name, Value string }

// MarshalText gives the short form.
func (c Choice) MarshalText() ([]byte, error) { return []byte(c.Name + " " + c.Value), nil }

// UnmarshalText reads the short form.
func (c *Choice) UnmarshalText(b []byte) error {
	name, value, ok := strings.Cut(string(b), " ")
	if !ok || name == "" || value == "" {
		return fmt.Errorf("choice %q is not a name and a value", b)
	}
	c.Name, c.Value = name, value
	return nil
}

func decodeSpec(src []byte) (*Spec, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	s := new(Spec)
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	return s, nil
}

// encode writes the facts one type per line, so that a change shows as a line.
func (s *Spec) encode() []byte {
	var b bytes.Buffer
	b.WriteString("{\n\"types\": [\n")
	for i, t := range s.Types {
		line, err := json.Marshal(t)
		if err != nil {
			panic(err) // plain structs of strings and numbers
		}
		b.Write(line)
		if i < len(s.Types)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n}\n")
	return b.Bytes()
}
