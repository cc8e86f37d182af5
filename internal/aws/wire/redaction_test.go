package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/api/coffer"
	"coffer/internal/aws/wire"
)

// The oracle of redaction is the models themselves, with their overlays: what a
// generated type says of a member is what is tested.
type modelShape struct {
	Type      string                 `json:"type"`
	Sensitive bool                   `json:"sensitive"`
	Members   map[string]modelMember `json:"members"`
	Member    *modelMember           `json:"member"`
	Key       *modelMember           `json:"key"`
	Value     *modelMember           `json:"value"`
}

type modelMember struct {
	Shape     string `json:"shape"`
	Sensitive bool   `json:"sensitive"`
}

type model struct {
	Shapes     map[string]*modelShape `json:"shapes"`
	Operations map[string]struct {
		Input  modelMember `json:"input"`
		Output modelMember `json:"output"`
	} `json:"operations"`
}

// readModel reads a service's model and sets what its overlay does.
func readModel(t *testing.T, name string) *model {
	t.Helper()
	dir := filepath.Join("..", "..", "tools", "awsgen")
	text, err := os.ReadFile(filepath.Join(dir, "models", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	var overlay []struct {
		At  string `json:"at"`
		Set any    `json:"set"`
	}
	if text, err := os.ReadFile(filepath.Join(dir, "overlay", name+".json")); err == nil {
		if err := json.Unmarshal(text, &overlay); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range overlay {
		at, steps := tree, strings.Split(o.At, "/")[1:]
		for _, s := range steps[:len(steps)-1] {
			next, ok := at[s].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[s] = next
			}
			at = next
		}
		at[steps[len(steps)-1]] = o.Set
	}
	if text, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	m := &model{}
	if err := json.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// A marker fills values with words that stand nowhere else, and notes which of them
// are secrets.
type marker struct {
	t       *testing.T
	model   *model
	long    bool // words above every bound
	count   int
	secrets []string
	shown   []string
}

func (m *marker) word(secret, bytes bool) string {
	m.count++
	w := fmt.Sprintf("word %05d!", m.count)
	if m.long {
		w += strings.Repeat("~", 9000)
	}
	switch {
	case secret:
		m.secrets = append(m.secrets, w[:11])
	case !bytes:
		m.shown = append(m.shown, w[:11])
	}
	return w
}

// fill sets v, which the model gives a shape.
func (m *marker) fill(v reflect.Value, use modelMember, secret bool, depth int) {
	shape := m.model.Shapes[use.Shape]
	if shape == nil {
		m.t.Fatalf("no shape %q for %s", use.Shape, v.Type())
	}
	secret = secret || use.Sensitive || shape.Sensitive
	if depth > 8 {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(m.word(secret, false))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(m.word(secret, true)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			m.fill(v.Index(i), *shape.Member, secret, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		hidden := secret || m.secret(*shape.Key) || m.secret(*shape.Value)
		m.fill(k, *shape.Key, hidden, depth+1)
		m.fill(e, *shape.Value, hidden, depth+1)
		v.SetMapIndex(k, e)
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			m.members(v, shape, secret, depth)
		}
	}
}

func (m *marker) secret(use modelMember) bool {
	return use.Sensitive || m.model.Shapes[use.Shape].Sensitive
}

func (m *marker) members(v reflect.Value, shape *modelShape, secret bool, depth int) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("aws"), ",")
		for member, use := range shape.Members {
			if member == name || strings.EqualFold(member, v.Type().Field(i).Name) {
				m.fill(v.Field(i), use, secret, depth+1)
				break
			}
		}
	}
}

// leaks tells a secret that stands in text, in clear or as Base64.
func (m *marker) leaks(text string) string {
	for _, s := range m.secrets {
		for cut := range 3 { // Base64 of a part that begins at any byte
			code := base64.RawStdEncoding.EncodeToString([]byte(s)[cut:])
			if strings.Contains(text, code[:len(code)-1]) {
				return s
			}
		}
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

// TestRedaction fills inputs and outputs of every operation: no value of a member
// that the model calls sensitive is in what an event shows, at any depth, and none
// in what a validation error says; every other text is in the event.
func TestRedaction(t *testing.T) {
	t.Parallel()
	want := map[string]int{ // operations with secrets, at least
		"iam": 10, "kms": 8, "mq": 4, "sqs": 6, "sts": 5,
	}
	for _, api := range append(apis(), &coffer.API) {
		c, found := compile(t, api), 0
		fresh := readModel(t, api.Name)
		for i := range api.Ops {
			op := &api.Ops[i]
			for _, long := range []bool{false, true} {
				m := &marker{t: t, model: fresh, long: long}
				uses := fresh.Operations[op.Name]
				for k, v := range []any{op.In(), op.Out()} {
					use := []modelMember{uses.Input, uses.Output}[k]
					if use.Shape == "" {
						continue
					}
					m.fill(reflect.ValueOf(v).Elem(), use, false, 0)
					checkShown(t, c, m, op.Name, v, long)
				}
				if len(m.secrets) > 0 {
					found++
				}
			}
		}
		if found < 2*want[api.Name] {
			t.Errorf("%s: only %d operations have secrets", api.Name, found/2)
		}
	}
}

func checkShown(t *testing.T, c *wire.Codec, m *marker, op string, v any, long bool) {
	t.Helper()
	text, err := json.Marshal(c.Audit(v))
	if err != nil {
		t.Fatal(err)
	}
	if s := m.leaks(string(text)); s != "" {
		t.Errorf("%s: the event shows %q of %T", op, s, v)
	}
	for _, s := range m.shown {
		if !strings.Contains(string(text), s) {
			t.Errorf("%s: the event does not show %q of %T", op, s, v)
			break
		}
	}
	m.shown = nil
	if err := c.Validate(v); err != nil {
		if s := m.leaks(err.Error()); s != "" {
			t.Errorf("%s: the error shows %q of %T", op, s, v)
		}
	}
}

// TestRedactionOfMalformed sends requests whose values have a wrong type: the error
// repeats nothing of what may be a secret.
func TestRedactionOfMalformed(t *testing.T) {
	t.Parallel()
	const secret = "hush, 4711"
	for _, api := range append(apis(), &coffer.API) {
		c := compile(t, api)
		for i := range api.Ops {
			op := &api.Ops[i]
			good, err := c.EncodeRequest(op, op.In())
			if err != nil {
				continue // a path needs its parts
			}
			typ := reflect.TypeOf(op.In()).Elem()
			for n := range typ.NumField() {
				name, _, _ := strings.Cut(typ.Field(n).Tag.Get("aws"), ",")
				for _, value := range []string{`"` + secret, `["` + secret + `"]`,
					`{"` + secret + `":"` + secret + `"}`, `"` + secret + `"`, secret} {
					r := *good
					if r.Body = []byte(`{"` + name + `":` + value + `}`); api.Protocol == "query" {
						r.Body = []byte("Action=" + op.Name + "&" + name + "=" + value +
							"&" + name + ".member.1=" + value + "&" + name + ".1.Key=%" + value)
					}
					err := c.Decode(op, &r, op.In())
					known := typ.Field(n).Tag.Get("aws")
					plain := !strings.Contains(known, "sensitive") && !blob(typ.Field(n).Type)
					if err != nil && strings.Contains(err.Error(), secret) &&
						!(plain && isValidation(err)) {
						t.Errorf("%s %s %s: %v", op.Name, name, value, err)
					}
				}
			}
		}
	}
}

func blob(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isValidation tells the errors that repeat values on purpose: those of members
// that are no secrets.
func isValidation(err error) bool {
	_, ok := errors.AsType[*wire.ValidationError](err)
	return ok
}
