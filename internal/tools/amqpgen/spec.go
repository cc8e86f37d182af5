package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Spec is the table of facts: numbers, names and types, and no prose.
type Spec struct {
	Constants []Constant `json:"constants"`
	Classes   []Class    `json:"classes"`
}

// Constant is a frame type, a size or a reply code. Error is "soft" when the
// code closes a channel, "hard" when it closes the connection, else empty.
type Constant struct {
	Name  string `json:"name"`
	Value int    `json:"value"`
	Error string `json:"error,omitempty"`
}

// Class groups methods. Only basic has properties.
type Class struct {
	Name       string   `json:"name"`
	ID         int      `json:"id"`
	Properties []Arg    `json:"properties,omitempty"`
	Methods    []Method `json:"methods"`
}

// Method is one method. To lists who may receive it: "server", "client".
type Method struct {
	Name    string   `json:"name"`
	ID      int      `json:"id"`
	To      []string `json:"to"`
	Sync    bool     `json:"sync,omitempty"`
	Content bool     `json:"content,omitempty"`
	Args    []Arg    `json:"args,omitempty"`
}

// Arg is an argument or a property. In JSON it is "name:type", and
// "name:type:reserved" for one that carries no meaning.
type Arg struct {
	Name, Type string
	Reserved   bool
}

// MarshalText gives the short form.
func (a Arg) MarshalText() ([]byte, error) {
	s := a.Name + ":" + a.Type
	if a.Reserved {
		s += ":reserved"
	}
	return []byte(s), nil
}

// UnmarshalText reads the short form.
func (a *Arg) UnmarshalText(b []byte) error {
	parts := strings.Split(string(b), ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "reserved" {
		return fmt.Errorf("argument %q is not name:type[:reserved]", b)
	}
	if !knownType(parts[1]) {
		return fmt.Errorf("argument %q has an unknown type", b)
	}
	*a = Arg{Name: parts[0], Type: parts[1], Reserved: len(parts) == 3}
	return nil
}

func knownType(t string) bool {
	switch t {
	case "bit", "octet", "short", "long", "longlong", "shortstr", "longstr", "timestamp", "table":
		return true
	}
	return false
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

// encode writes the facts one per line, so that a change shows as a line.
func (s *Spec) encode() []byte {
	var b bytes.Buffer
	b.WriteString("{\n\"constants\": [\n")
	for i, c := range s.Constants {
		line(&b, c, i == len(s.Constants)-1)
	}
	b.WriteString("],\n\"classes\": [\n")
	for i, c := range s.Classes {
		methods := c.Methods
		c.Methods = nil
		head, _ := bytes.CutSuffix(mustJSON(c), []byte(`null}`))
		fmt.Fprintf(&b, "%s[\n", head)
		for j, m := range methods {
			line(&b, m, j == len(methods)-1)
		}
		b.WriteString("]}" + comma(i == len(s.Classes)-1))
	}
	b.WriteString("]\n}\n")
	return b.Bytes()
}

func line(b *bytes.Buffer, v any, last bool) {
	b.Write(mustJSON(v))
	b.WriteString(comma(last))
}

func comma(last bool) string {
	if last {
		return "\n"
	}
	return ",\n"
}

// mustJSON panics when plain structs of strings and numbers cannot be encoded.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
