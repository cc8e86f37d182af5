package wire_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"coffer/internal/aws/wire"
)

var (
	function  = regexp.MustCompile(`(?m)^func (?:\(\w+ \*)?aws\w+_(\w+?)[(\)]`)
	enumValue = regexp.MustCompile(`(?m)^\t\w+\s+(\w+) = "([^"]*)"`)
	// names are the member names within a function, by what the function does.
	names = map[string]*regexp.Regexp{
		"serialize":   regexp.MustCompile(`object\.Key\("([^"]+)"\)`),
		"deserialize": regexp.MustCompile(`(?m)^\t\tcase (?:strings\.EqualFold\()?"([^"]+)"`),
		"query":       regexp.MustCompile(`SetQuery\("([^"]+)"\)|AddQuery\("([^"]+)"\)`),
		"errors":      regexp.MustCompile(`(?m)^\tcase strings\.EqualFold\("([^"]+)", errorCode\)`),
		"path":        regexp.MustCompile(`SplitURI\("([^"]+)"\)`),
		"method":      regexp.MustCompile(`request\.Method = "(\w+)"`),
	}
)

func find(what, src string) map[string]bool {
	out := map[string]bool{}
	for _, m := range names[what].FindAllStringSubmatch(src, -1) {
		out[m[1]+strings.Join(m[2:], "")] = true
	}
	return out
}

// enums compares the values of enumerations.
func (d *differ) enums() {
	src, err := os.ReadFile(filepath.Join(d.dir, "types", "enums.go"))
	if err != nil && d.codec.API().Name != "sts" { // which has none
		d.t.Fatal(err)
	}
	theirs := map[string]map[string]bool{}
	for _, m := range enumValue.FindAllStringSubmatch(string(src), -1) {
		if theirs[m[1]] == nil {
			theirs[m[1]] = map[string]bool{}
		}
		theirs[m[1]][m[2]] = true
	}
	for _, s := range d.codec.API().Shapes {
		values := theirs[strings.ToUpper(s.Name[:1])+s.Name[1:]]
		for v := range values {
			if !slices.Contains(s.Enum, v) {
				d.add("enum", s.Name, "no value "+v)
			}
		}
		for _, v := range s.Enum {
			if values != nil && !values[v] {
				d.add("enum", s.Name, "our value "+v)
			}
		}
	}
}

// sources compares member names with the SDK's serializers, read as text; it
// gives the number of functions compared.
func (d *differ) sources() int {
	ours := d.structures()
	count := 0
	for _, file := range []string{"serializers.go", "deserializers.go"} {
		src, err := os.ReadFile(filepath.Join(d.dir, file))
		if err != nil {
			d.t.Fatal(err)
		}
		at := function.FindAllStringSubmatchIndex(string(src), -1)
		for i, m := range at {
			end := len(src)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			if d.function(ours, string(src[m[2]:m[3]]), string(src[m[0]:end])) {
				count++
			}
		}
	}
	return count
}

// function compares one function of the SDK and says whether it did.
func (d *differ) function(ours map[string]map[string]bool, name, body string) bool {
	verb, noun, _ := strings.Cut(name, "ize")
	verb += "ize"
	rest := d.codec.API().Protocol == "rest-json"
	if strings.HasPrefix(name, "serializeOp") && rest && strings.Contains(body, "SplitURI") {
		d.path(strings.TrimPrefix(name, "serializeOp"), body)
		return true
	}
	if op, ok := strings.CutPrefix(name, "deserializeOpError"); ok {
		for code := range find("errors", body) {
			if !slices.ContainsFunc(d.codec.API().Faults, func(f wire.Fault) bool {
				have, _ := f.Fault()
				return have == code
			}) {
				d.add("errors", op, "no "+code)
			}
		}
		return true
	}
	if strings.HasSuffix(noun, "Unwrapped") { // flat maps; the SDK's own, unused
		return false
	}
	typ := ""
	for _, prefix := range []string{"OpDocument", "Document"} {
		if t, ok := strings.CutPrefix(noun, prefix); ok {
			typ = t
			break
		}
	}
	if typ == "" {
		return false
	}
	theirs := find(verb, body)
	if len(theirs) == 0 || theirs["member"] || theirs["entry"] {
		return false
	}
	have, ok := ours[typ]
	if !ok {
		d.add(verb, typ, "no structure")
		return true
	}
	for n := range theirs {
		if !have[n] {
			d.add(verb, typ, "no member "+n)
		}
	}
	for n := range have {
		if !theirs[n] && !(rest && strings.HasSuffix(typ, "Input")) {
			d.add(verb, typ, "our member "+n)
		}
	}
	return true
}

// path compares method and path; labels have other names in the SDK.
func (d *differ) path(name, body string) {
	op, ok := d.codec.API().Op(name)
	if !ok {
		d.add("path", name, "no operation")
		return
	}
	label := regexp.MustCompile(`\{[^}]+\}`)
	uri := slices.Collect(maps.Keys(find("path", body)))[0]
	if label.ReplaceAllString(uri, "{}") != label.ReplaceAllString(op.URI, "{}") {
		d.add("path", name, uri)
	}
	if !find("method", body)[op.Method] {
		d.add("path", name, "method "+op.Method)
	}
}

// structures gives the wire names of every type by its name.
func (d *differ) structures() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || t.PkgPath() == "time" || out[t.Name()] != nil {
			return
		}
		members := map[string]bool{}
		out[t.Name()] = members
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("aws"), ",")
			members[name] = true
			visit(t.Field(i).Type)
		}
	}
	api := d.codec.API()
	for _, op := range api.Ops {
		visit(reflect.TypeOf(op.In()))
		visit(reflect.TypeOf(op.Out()))
		// Some inputs and outputs are shared: the SDK gives each its name.
		out[op.Name+"Input"] = out[reflect.TypeOf(op.In()).Elem().Name()]
		out[op.Name+"Output"] = out[reflect.TypeOf(op.Out()).Elem().Name()]
	}
	for _, f := range api.Faults {
		visit(reflect.TypeOf(f))
	}
	return out
}
