package policy

import (
	"slices"
	"strings"
	"time"
)

// Context holds the condition keys of a request. Their names are compared
// without regard to case, as IAM does. The zero Context is empty and ready.
//
// Keys that follow from the other fields of a [Request] are not put here and
// are ignored if they are: aws:PrincipalArn, aws:PrincipalAccount,
// aws:PrincipalType, aws:PrincipalIsAWSService, aws:PrincipalServiceName,
// aws:username, aws:userid, aws:ResourceAccount, aws:CurrentTime,
// aws:EpochTime, kms:CallerAccount, kms:EncryptionContext:… and
// kms:EncryptionContextKeys.
type Context struct {
	values map[string][]string
	fill   func(*Context) // nil: there is nothing to come
}

// Later gives a context that fill fills when a key is first asked for: most policies have
// no conditions. fill may be called once for each copy of the context.
func Later(fill func(*Context)) Context { return Context{fill: fill} }

// all gives the values, by folded key.
func (c *Context) all() map[string][]string {
	if fill := c.fill; fill != nil {
		c.fill = nil
		fill(c)
	}
	return c.values
}

// Add appends values to a key. Dates are RFC 3339, booleans "true" or "false";
// values compared by BinaryEquals are the raw bytes. Without values it does
// nothing: an absent key and an empty one are the same to a policy.
func (c *Context) Add(key string, values ...string) {
	if len(values) == 0 {
		return
	}
	if c.all() == nil {
		c.values = make(map[string][]string)
	}
	key = fold(key)
	c.values[key] = append(c.values[key], values...)
}

// Get gives a key's values; the slice belongs to the Context.
func (c *Context) Get(key string) []string { return c.all()[fold(key)] }

// valueList is the values of a context key. One value needs no slice, so that
// derived keys cost nothing.
type valueList struct {
	one  string
	set  bool
	many []string
}

func single(s string) valueList { return valueList{one: s, set: true} }

// optional is a single value, absent when empty.
func optional(s string) valueList { return valueList{one: s, set: s != ""} }

func (v *valueList) len() int {
	if v.set {
		return 1
	}
	return len(v.many)
}

func (v *valueList) at(i int) string {
	if v.set {
		return v.one
	}
	return v.many[i]
}

const (
	encryptionContextPrefix = "kms:encryptioncontext:"
	serviceNamesKey         = "aws:principalservicenameslist"
)

// lookup gives the values of a folded key. What follows from the request goes
// before what its Context says, so that no header can pose as a principal.
func (e *evaluation) lookup(key string) valueList {
	given := valueList{many: e.request.Context.all()[key]}
	if k := e.request.Keys; k == GivenOnly || k == GivenFirst && given.len() > 0 {
		return given
	}
	if v, derived := e.derive(key); derived {
		return v
	}
	return given
}

// derive gives the values of keys that follow from the request.
func (e *evaluation) derive(key string) (valueList, bool) {
	r := e.request
	switch key {
	case "aws:principalarn":
		return optional(r.Principal.policyARN()), true
	case "aws:principalaccount", "kms:calleraccount":
		return optional(r.Principal.Account), true
	case "aws:principaltype":
		return optional(r.Principal.Kind.principalType()), true
	case "aws:principalisawsservice":
		return single(boolText(r.Principal.Kind == Service)), true
	case "aws:principalservicename", serviceNamesKey:
		return optional(r.Principal.Service), true
	case "aws:username":
		return optional(r.Principal.userName()), true
	case "aws:userid":
		return optional(r.Principal.userID()), true
	case "aws:resourceaccount":
		return optional(e.resourceAccount), true
	case "aws:currenttime":
		return timeValue(r.Time, time.RFC3339), true
	case "aws:epochtime":
		return epochValue(r.Time), true
	case "kms:encryptioncontextkeys":
		return contextNames(r.EncryptionContext), true
	}
	if name, ok := strings.CutPrefix(key, encryptionContextPrefix); ok {
		return contextValues(r.EncryptionContext, name), true
	}
	return valueList{}, false
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func timeValue(t time.Time, layout string) valueList {
	if t.IsZero() {
		return valueList{}
	}
	return single(t.UTC().Format(layout))
}

// contextNames gives the names of an encryption context as they are written:
// kms:EncryptionContextKeys is how a policy asks for their case.
func contextNames(pairs map[string]string) valueList {
	names := make([]string, 0, len(pairs))
	for name := range pairs {
		names = append(names, name)
	}
	slices.Sort(names)
	return valueList{many: names}
}

// contextValues gives the values under a folded name. The name in
// kms:EncryptionContext:name is part of a condition key and so has no case;
// names that differ in case only are then several values of one key.
func contextValues(pairs map[string]string, folded string) valueList {
	var v valueList
	for name, value := range pairs {
		if fold(name) != folded {
			continue
		}
		if v.len() == 0 {
			v = single(value)
			continue
		}
		if v.set {
			v = valueList{many: []string{v.one}}
		}
		v.many = append(v.many, value)
	}
	slices.Sort(v.many)
	return v
}
