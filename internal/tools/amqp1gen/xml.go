package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type xmlSpec struct {
	Sections []struct {
		Types []xmlType `xml:"type"`
	} `xml:"section"`
}

type xmlType struct {
	Name       string `xml:"name,attr"`
	Class      string `xml:"class,attr"`
	Source     string `xml:"source,attr"`
	Descriptor struct {
		Name string `xml:"name,attr"`
		Code string `xml:"code,attr"`
	} `xml:"descriptor"`
	Fields []struct {
		Name      string `xml:"name,attr"`
		Type      string `xml:"type,attr"`
		Mandatory bool   `xml:"mandatory,attr"`
		Multiple  bool   `xml:"multiple,attr"`
		Default   string `xml:"default,attr"`
	} `xml:"field"`
	Choices []struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	} `xml:"choice"`
}

// fromFolder reads the parts of the specification that have types to send.
func fromFolder(dir string) (*Spec, error) {
	s := new(Spec)
	for _, part := range []string{"transport", "messaging", "security", "transactions"} {
		path := filepath.Join(dir, part+".bare.xml")
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := s.read(src); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return s, nil
}

func (s *Spec) read(src []byte) error {
	var x xmlSpec
	if err := xml.Unmarshal(src, &x); err != nil {
		return err
	}
	for _, section := range x.Sections {
		for _, t := range section.Types {
			out, err := t.convert()
			if err != nil {
				return fmt.Errorf("type %s: %w", t.Name, err)
			}
			s.Types = append(s.Types, out)
		}
	}
	return nil
}

func (t *xmlType) convert() (Type, error) {
	out := Type{Name: t.Name, Symbol: t.Descriptor.Name}
	if t.Class != "composite" {
		out.Source = t.Source
	} else if t.Source != "list" {
		return out, fmt.Errorf("composite of %s", t.Source)
	}
	if high, low, ok := strings.Cut(t.Descriptor.Code, ":"); ok {
		n, err := strconv.ParseInt(low, 0, 32)
		if err != nil || high != "0x00000000" {
			return out, fmt.Errorf("descriptor %s", t.Descriptor.Code)
		}
		out.Code = int(n)
	}
	for _, f := range t.Fields {
		out.Fields = append(out.Fields, Field{
			Name: f.Name, Type: f.Type, Default: f.Default,
			Mandatory: f.Mandatory, Multiple: f.Multiple,
		})
	}
	for _, c := range t.Choices {
		out.Choices = append(out.Choices, Choice{Name: c.Name, Value: c.Value})
	}
	return out, nil
}
