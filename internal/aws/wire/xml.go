package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
)

// xmlWriter renders the answers of the query protocol.
type xmlWriter struct{ bytes.Buffer }

func (x *xmlWriter) response(status int) *Response {
	return &Response{status, http.Header{"Content-Type": {"text/xml"}}, x.Bytes()}
}

func (x *xmlWriter) open(name, namespace string) {
	x.WriteByte('<')
	x.WriteString(name)
	if namespace != "" {
		x.WriteString(` xmlns="` + namespace + `"`)
	}
	x.WriteByte('>')
}

func (x *xmlWriter) close(name string) { x.WriteString("</" + name + ">") }

func (x *xmlWriter) element(name, text string) {
	x.open(name, "")
	x.text(text)
	x.close(name)
}

// text escapes a string; what XML 1.0 cannot hold becomes U+FFFD.
func (x *xmlWriter) text(s string) { _ = xml.EscapeText(&x.Buffer, []byte(s)) }

func (x *xmlWriter) members(s value) {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		v, ok := f.present(s.Value)
		switch {
		case !ok:
		case f.Flat && f.kind == kindList:
			for j := range v.Len() {
				x.value(f.form, f.elem, reflect.Indirect(v.Index(j)))
			}
		case f.Flat:
			x.entries(f.form, &f.valuePlan, v)
		default:
			x.value(f.form, &f.valuePlan, v)
		}
	}
}

func (x *xmlWriter) value(name string, p *valuePlan, v reflect.Value) {
	x.open(name, "")
	switch p.kind {
	case kindStruct:
		x.members(value{v, p.structure})
	case kindList:
		for i := range v.Len() {
			x.value(p.elemName(), p.elem, reflect.Indirect(v.Index(i)))
		}
	case kindMap:
		x.entries("entry", p, v)
	default:
		x.text(formatText(p, v))
	}
	x.close(name)
}

func (x *xmlWriter) entries(name string, p *valuePlan, v reflect.Value) {
	keyName, valueName := p.entryNames()
	for _, k := range sortedKeys(v) {
		x.open(name, "")
		x.element(keyName, k.String())
		x.value(valueName, p.elem, reflect.Indirect(v.MapIndex(k)))
		x.close(name)
	}
}

// parseXML reads a document into a tree; it gives the root element.
func parseXML(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	top := &node{}
	stack := []*node{top}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parse XML: %w", err)
		}
		at := stack[len(stack)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			if len(stack) > maxDepth {
				return nil, errors.New("parse XML: nested too deep")
			}
			stack = append(stack, at.add(t.Name.Local))
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			at.text += string(t)
		}
	}
	for _, kids := range top.kids {
		return kids[0], nil
	}
	return nil, errors.New("parse XML: no element")
}
