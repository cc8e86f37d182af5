package wire

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// node is a tree of parameters (Tags.member.1.Key) or of XML elements. Kids of
// one name stand in order; parameters have one each.
type node struct {
	text string
	set  bool // text was given
	kids map[string][]*node
}

func (n *node) child(name string) *node {
	if list := n.kids[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

func (n *node) add(name string) *node {
	if n.kids == nil {
		n.kids = map[string][]*node{}
	}
	kid := &node{}
	n.kids[name] = append(n.kids[name], kid)
	return kid
}

// put stores a parameter under its dotted name.
func (n *node) put(name, text string) error {
	if strings.Count(name, ".") > maxDepth {
		return errors.New("parameter name has too many parts")
	}
	for part := range strings.SplitSeq(name, ".") {
		kid := n.child(part)
		if kid == nil {
			kid = n.add(part)
		}
		n = kid
	}
	n.text, n.set = text, true
	return nil
}

// numbered gives the kids that a query list or map has, in order of their
// numbers, which may have gaps.
func (n *node) numbered() ([]*node, error) {
	type numberedNode struct {
		number int
		node   *node
	}
	if len(n.kids) > maxItems {
		return nil, errItems
	}
	list := make([]numberedNode, 0, len(n.kids))
	for name, kids := range n.kids {
		i, err := strconv.Atoi(name)
		if err != nil || i < 1 || strconv.Itoa(i) != name {
			return nil, errors.New("Unexpected list element termination")
		}
		list = append(list, numberedNode{i, kids[0]})
	}
	slices.SortFunc(list, func(a, b numberedNode) int { return a.number - b.number })
	out := make([]*node, len(list))
	for i, e := range list {
		out[i] = e.node
	}
	return out, nil
}

// treeDecoder sets structs from a tree.
type treeDecoder struct {
	*checker
	numbered bool // the query protocol's lists; else XML's
}

func (d *treeDecoder) structure(s value, n *node) error {
	var got seen
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		at := n.child(f.form)
		if at == nil {
			continue
		}
		got.set(i)
		d.push(f.label)
		if f.Flat && !d.numbered {
			at = &node{kids: map[string][]*node{f.elemName(): n.kids[f.form]}}
		}
		v := f.slot(s.Field(f.index))
		if err := d.value(&f.valuePlan, v, at); err != nil {
			return err
		}
		d.field(f, v)
		d.pop()
	}
	d.required(s.plan, &got)
	return nil
}

func (d *treeDecoder) value(p *valuePlan, v reflect.Value, n *node) error {
	if p.leaf() {
		if len(n.kids) > 0 {
			return errors.New("Unexpected complex element termination")
		}
		return parseText(p, v, n.text, "iso8601")
	}
	if d.numbered && n.set && n.text != "" {
		return errors.New("Top level element may not be treated as a list or structure")
	}
	switch p.kind {
	case kindStruct:
		return d.structure(value{v, p.structure}, n)
	case kindMap:
		return d.mapping(p, v, n)
	}
	items, err := d.items(p, n, p.elemName())
	if err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(p.typ, len(items), len(items)))
	for i, it := range items {
		d.pushItem(i)
		if err := d.value(p.elem, p.elem.slot(v.Index(i)), it); err != nil {
			return err
		}
		d.pop()
	}
	return nil
}

func (d *treeDecoder) items(p *valuePlan, n *node, name string) ([]*node, error) {
	if !d.numbered {
		return n.kids[name], nil
	}
	if p.Flat {
		return n.numbered()
	}
	if at := n.child(name); at != nil {
		return at.numbered()
	}
	if len(n.kids) > 0 {
		return nil, errors.New("Unexpected list element termination")
	}
	return nil, nil
}

func (d *treeDecoder) mapping(p *valuePlan, v reflect.Value, n *node) error {
	items, err := d.items(p, n, "entry")
	if err != nil {
		return err
	}
	v.Set(reflect.MakeMapWithSize(p.typ, len(items)))
	keyName, valueName := p.entryNames()
	for _, it := range items {
		kn, vn := it.child(keyName), it.child(valueName)
		if kn == nil || vn == nil {
			return errors.New("map entry without key or value")
		}
		k := reflect.New(p.key.typ).Elem()
		if err := d.value(p.key, k, kn); err != nil {
			return err
		}
		e := reflect.New(p.typ.Elem()).Elem()
		d.push(k.String())
		if err := d.value(p.elem, p.elem.slot(e), vn); err != nil {
			return err
		}
		d.pop()
		v.SetMapIndex(k, e)
	}
	return nil
}

// elemName is the element name of a list's items.
func (p *valuePlan) elemName() string {
	if p.ElemName != "" {
		return p.ElemName
	}
	return "member"
}

func (p *valuePlan) entryNames() (key, elem string) {
	key, elem = p.KeyName, p.ElemName
	if key == "" {
		key = "key"
	}
	if elem == "" {
		elem = "value"
	}
	return key, elem
}

// putForm adds a struct's members under a prefix that ends in a dot.
func putForm(form url.Values, prefix string, s value) {
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		if v, ok := f.present(s.Value); ok {
			putParameter(form, prefix+f.form, &f.valuePlan, v)
		}
	}
}

func putParameter(form url.Values, name string, p *valuePlan, v reflect.Value) {
	list := name + "." + p.elemName()
	entries := name + ".entry"
	if p.Flat {
		list, entries = name, name
	}
	switch {
	case p.kind == kindStruct:
		putForm(form, name+".", value{v, p.structure})
	case p.leaf():
		form.Set(name, formatText(p, v))
	case v.Len() == 0:
		form.Set(name, "")
	case p.kind == kindList:
		for i := range v.Len() {
			putParameter(form, list+"."+strconv.Itoa(i+1), p.elem, reflect.Indirect(v.Index(i)))
		}
	default:
		keyName, valueName := p.entryNames()
		for i, k := range sortedKeys(v) {
			at := entries + "." + strconv.Itoa(i+1) + "."
			form.Set(at+keyName, k.String())
			putParameter(form, at+valueName, p.elem, reflect.Indirect(v.MapIndex(k)))
		}
	}
}
