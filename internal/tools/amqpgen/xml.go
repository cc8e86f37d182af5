package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
)

type xmlSpec struct {
	Constants []struct {
		Name  string `xml:"name,attr"`
		Value int    `xml:"value,attr"`
		Class string `xml:"class,attr"`
	} `xml:"constant"`
	Domains []struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
	} `xml:"domain"`
	Classes []struct {
		Name    string      `xml:"name,attr"`
		Index   int         `xml:"index,attr"`
		Fields  []xmlField  `xml:"field"`
		Methods []xmlMethod `xml:"method"`
	} `xml:"class"`
}

type xmlMethod struct {
	Name    string     `xml:"name,attr"`
	Index   int        `xml:"index,attr"`
	Sync    int        `xml:"synchronous,attr"`
	Content int        `xml:"content,attr"`
	Fields  []xmlField `xml:"field"`
	Chassis []struct {
		Name string `xml:"name,attr"`
	} `xml:"chassis"`
}

type xmlField struct {
	Name     string `xml:"name,attr"`
	Domain   string `xml:"domain,attr"`
	Type     string `xml:"type,attr"`
	Reserved int    `xml:"reserved,attr"`
}

// fromXML reads the specification and adds what RabbitMQ has and the XML
// lacks. Methods are sorted by id, everything else keeps its order.
func fromXML(r io.Reader) (*Spec, error) {
	var x xmlSpec
	if err := xml.NewDecoder(r).Decode(&x); err != nil {
		return nil, err
	}
	domains := map[string]string{}
	for _, d := range x.Domains {
		domains[d.Name] = d.Type
	}
	s := new(Spec)
	for _, c := range x.Constants {
		kind := map[string]string{"soft-error": "soft", "hard-error": "hard"}[c.Class]
		s.Constants = append(s.Constants, Constant{Name: c.Name, Value: c.Value, Error: kind})
	}
	for _, c := range x.Classes {
		class := Class{Name: c.Name, ID: c.Index}
		var err error
		if class.Properties, err = args(c.Fields, domains); err != nil {
			return nil, fmt.Errorf("class %s: %w", c.Name, err)
		}
		for _, m := range c.Methods {
			method, err := m.method(domains)
			if err != nil {
				return nil, fmt.Errorf("method %s.%s: %w", c.Name, m.Name, err)
			}
			class.Methods = append(class.Methods, method)
		}
		s.Classes = append(s.Classes, class)
	}
	return s, s.extend()
}

func (m xmlMethod) method(domains map[string]string) (Method, error) {
	out := Method{Name: m.Name, ID: m.Index, Sync: m.Sync == 1, Content: m.Content == 1}
	for _, c := range m.Chassis {
		out.To = append(out.To, c.Name)
	}
	slices.Sort(out.To)
	var err error
	out.Args, err = args(m.Fields, domains)
	return out, err
}

func args(fields []xmlField, domains map[string]string) ([]Arg, error) {
	var out []Arg
	for _, f := range fields {
		t := f.Type
		if t == "" {
			t = domains[f.Domain]
		}
		if !knownType(t) {
			return nil, fmt.Errorf("field %s: unknown type %q", f.Name, t)
		}
		out = append(out, Arg{Name: f.Name, Type: t, Reserved: f.Reserved == 1})
	}
	return out, nil
}

// extend adds RabbitMQ's later methods and its 312, and gives two arguments
// the names under which RabbitMQ's documentation and clients know them.
func (s *Spec) extend() error {
	s.Constants = append(s.Constants, Constant{Name: "no-route", Value: 312, Error: "soft"})
	slices.SortStableFunc(s.Constants, func(a, b Constant) int {
		return cmp.Compare(a.Value, b.Value)
	})
	text := func(name string) Arg { return Arg{Name: name, Type: "shortstr"} }
	client, server := []string{"client"}, []string{"server"}
	for i := range s.Classes {
		c := &s.Classes[i]
		switch c.Name {
		case "connection":
			c.Methods = append(c.Methods,
				Method{Name: "blocked", ID: 60, To: client, Args: []Arg{text("reason")}},
				Method{Name: "unblocked", ID: 61, To: client},
				Method{Name: "update-secret", ID: 70, To: server, Sync: true,
					Args: []Arg{{Name: "new-secret", Type: "longstr"}, text("reason")}},
				Method{Name: "update-secret-ok", ID: 71, To: client, Sync: true})
		case "basic":
			if len(c.Properties) != 14 {
				return fmt.Errorf("class basic has %d properties, not 14", len(c.Properties))
			}
			c.Properties[13].Name = "cluster-id"
		case "confirm":
			c.Methods[0].Args[0].Name = "no-wait"
		}
		slices.SortFunc(c.Methods, func(a, b Method) int { return cmp.Compare(a.ID, b.ID) })
	}
	return nil
}
