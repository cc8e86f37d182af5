package wire

import (
	"reflect"
)

// audit renders a struct without its secrets.
func audit(s value) map[string]any {
	out := map[string]any{}
	for i := range s.plan.fields {
		f := &s.plan.fields[i]
		if f.sensitive {
			continue
		}
		v, ok := f.present(s.Value)
		if !ok {
			continue
		}
		if x, ok := auditValue(&f.valuePlan, v); ok {
			out[f.label] = x
		}
	}
	return out
}

// auditValue gives false for what must not be recorded.
func auditValue(p *valuePlan, v reflect.Value) (any, bool) {
	if p.sensitive || p.kind == kindBlob {
		return nil, false
	}
	switch p.kind {
	case kindString, kindTime:
		return formatText(p, v), true
	case kindBool:
		return v.Bool(), true
	case kindInt:
		return v.Int(), true
	case kindFloat:
		return v.Float(), true
	case kindStruct:
		return audit(value{v, p.structure}), true
	case kindList:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			if x, ok := auditValue(p.elem, reflect.Indirect(v.Index(i))); ok {
				list = append(list, x)
			}
		}
		return list, !p.elem.secret()
	}
	m := map[string]any{}
	if p.key.sensitive {
		return nil, false
	}
	for _, k := range v.MapKeys() {
		if x, ok := auditValue(p.elem, reflect.Indirect(v.MapIndex(k))); ok {
			m[k.String()] = x
		}
	}
	return m, !p.elem.secret()
}

func (p *valuePlan) secret() bool { return p.sensitive || p.kind == kindBlob }
