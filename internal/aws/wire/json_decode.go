package wire

import (
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
)

// maxItems bounds a list or a map of a request, because an item of two bytes
// on the wire may be hundreds in memory. No AWS operation takes this many.
const maxItems = 1 << 15

var errItems = errors.New("list or map has too many entries")

// jsonDecoder reads JSON straight into the structs.
type jsonDecoder struct {
	jsonScanner
	*checker
	rest  bool // only members whose place is the body
	loose bool // a number or a truth value may stand for a text
}

// document reads a whole body: one object, or nothing.
func (d *jsonDecoder) document(v value, s *seen) error {
	switch d.peek() {
	case 0:
		if d.i < len(d.b) {
			return d.bad()
		}
		return nil
	case '{':
	default:
		if err := d.skip(); err != nil {
			return err
		}
		return errors.New("Unexpected value type in payload")
	}
	if err := d.members(v, s); err != nil {
		return err
	}
	if d.peek() != 0 || d.i < len(d.b) {
		return d.bad()
	}
	return nil
}

// structure reads an object and reports the required members it lacks.
func (d *jsonDecoder) structure(v value) error {
	var s seen
	if err := d.members(v, &s); err != nil {
		return err
	}
	d.required(v.plan, &s)
	return nil
}

func (d *jsonDecoder) members(v value, s *seen) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	for first := true; ; first = false {
		more, err := d.more('}', first)
		if err != nil || !more {
			return err
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		i, known := v.plan.byName[string(key)]
		if !known || d.rest && v.plan.fields[i].where != inBody {
			err = d.skip()
		} else {
			err = d.member(v, i, s)
		}
		if err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) member(v value, i int, s *seen) error {
	f := &v.plan.fields[i]
	d.push(f.label)
	defer d.pop()
	fv := v.Field(f.index)
	if s.has(i) {
		d.forget()
		s[i/64] &^= 1 << (i % 64)
		fv.SetZero()
	}
	if null, err := d.jsonScanner.null(); null || err != nil {
		return err
	}
	s.set(i)
	at := f.slot(fv)
	if err := d.value(&f.valuePlan, at); err != nil {
		return err
	}
	d.field(f, at)
	return nil
}

// value reads one value that is not null.
func (d *jsonDecoder) value(p *valuePlan, v reflect.Value) error {
	c := d.peek()
	switch c {
	case '"':
		return d.text(p, v)
	case '{':
		switch p.kind {
		case kindStruct:
			return d.structure(value{v, p.structure})
		case kindMap:
			return d.mapping(p, v)
		}
		return errors.New("Start of structure or map found where not expected.")
	case '[':
		if p.kind == kindList {
			return d.list(p, v)
		}
		return errors.New("Start of list found where not expected")
	case 't', 'f':
		word, token := "true", "TRUE_VALUE"
		if c == 'f' {
			word, token = "false", "FALSE_VALUE"
		}
		if err := d.literal(word); err != nil {
			return err
		}
		switch {
		case p.kind == kindBool:
			v.SetBool(c == 't')
		case p.kind == kindString && d.loose:
			v.SetString(word)
		default:
			return mismatch(token, p)
		}
		return nil
	}
	n, err := d.number()
	if err != nil {
		return err
	}
	if p.kind == kindString && d.loose {
		v.SetString(string(n))
		return nil
	}
	return setNumber(p, v, n)
}

// mismatch is the error of a scalar where something else should stand.
func mismatch(token string, p *valuePlan) error {
	switch p.kind {
	case kindList:
		return errors.New("Expected list or null")
	case kindMap, kindStruct:
		return errors.New("Expected map or null")
	}
	return conversion(token, p)
}

func (d *jsonDecoder) text(p *valuePlan, v reflect.Value) error {
	s, err := d.str()
	if err != nil {
		return err
	}
	switch p.kind {
	case kindString:
		v.SetString(string(s))
		return nil
	case kindBlob:
		b, err := base64.StdEncoding.AppendDecode(make([]byte, 0, len(s)/4*3), s)
		if err != nil {
			return mismatch("STRING_VALUE", p)
		}
		v.SetBytes(b)
		return nil
	case kindTime:
		if p.timeFormat("unixTimestamp") != "unixTimestamp" {
			return parseText(p, v, string(s), "")
		}
	case kindFloat:
		if x, err := parseFloat(string(s), 64); err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			v.SetFloat(x)
			return nil
		}
	}
	return mismatch("STRING_VALUE", p)
}

func setNumber(p *valuePlan, v reflect.Value, text []byte) error {
	switch p.kind {
	case kindInt:
		n, err := strconv.ParseInt(string(text), 10, p.typ.Bits())
		if err != nil {
			// 1.0 and 1e3 are whole numbers too.
			x, ferr := strconv.ParseFloat(string(text), 64)
			if ferr != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 || v.OverflowInt(int64(x)) {
				return conversion("NUMBER_VALUE", p)
			}
			n = int64(x)
		}
		v.SetInt(n)
		return nil
	case kindFloat:
		x, err := parseFloat(string(text), p.typ.Bits())
		if err != nil {
			return conversion("NUMBER_VALUE", p)
		}
		v.SetFloat(x)
		return nil
	case kindTime:
		if p.timeFormat("unixTimestamp") != "unixTimestamp" {
			break
		}
		t, err := parseTime("unixTimestamp", string(text))
		if err != nil {
			return conversion("NUMBER_VALUE", p)
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	return mismatch("NUMBER_VALUE", p)
}

func (d *jsonDecoder) list(p *valuePlan, v reflect.Value) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	v.Set(reflect.MakeSlice(p.typ, 0, 0))
	for i := 0; ; i++ {
		more, err := d.more(']', i == 0)
		if err != nil || !more {
			return err
		}
		if i == maxItems {
			return errItems
		}
		if i == v.Cap() {
			v.Grow(max(4, i))
		}
		v.SetLen(i + 1)
		d.pushItem(i)
		if err := d.item(p.elem, v.Index(i)); err != nil {
			return err
		}
		d.pop()
	}
}

func (d *jsonDecoder) item(p *valuePlan, v reflect.Value) error {
	null, err := d.jsonScanner.null()
	if err != nil {
		return err
	}
	if null {
		d.checker.null()
		return nil
	}
	return d.value(p, p.slot(v))
}

func (d *jsonDecoder) mapping(p *valuePlan, v reflect.Value) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	v.Set(reflect.MakeMap(p.typ))
	for first := true; ; first = false {
		more, err := d.more('}', first)
		if err != nil || !more {
			return err
		}
		key, err := d.key()
		if err != nil {
			return err
		}
		k := reflect.New(p.key.typ).Elem()
		k.SetString(string(key))
		d.push(k.String())
		if v.Len() == maxItems {
			return errItems
		}
		if v.MapIndex(k).IsValid() {
			d.forget()
		}
		e := reflect.New(p.typ.Elem()).Elem()
		if err := d.item(p.elem, e); err != nil {
			return err
		}
		v.SetMapIndex(k, e)
		d.pop()
	}
}
