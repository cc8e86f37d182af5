package wire_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/api/iam"
	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/mq"
	"coffer/internal/aws/api/sqs"
	"coffer/internal/aws/api/sts"
	"coffer/internal/aws/wire"
)

// apis are the services that have models.
func apis() []*wire.API {
	return []*wire.API{&cloudtrail.API, &iam.API, &kms.API, &mq.API, &sqs.API, &sts.API}
}

func compile(t testing.TB, api *wire.API) *wire.Codec {
	t.Helper()
	c, err := wire.Compile(api)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConformance compares the codecs with what aws-sdk-go-v2 carries: its
// snapshots of requests, responses and errors, and the member names its
// serializers and deserializers spell out. What differs because the SDK is
// newer than the model stands in testdata/differences.txt; a line there that
// is true no more fails the test as much as a difference that is missing.
func TestConformance(t *testing.T) {
	var got []string
	for _, api := range apis() {
		d := &differ{t: t, codec: compile(t, api), dir: moduleDir(t, api.Name)}
		snapshots := d.snapshots()
		if want := api.Name != "mq" && api.Name != "cloudtrail"; (snapshots > 0) != want {
			t.Errorf("%s: %d snapshots", api.Name, snapshots)
		}
		names := 0
		if api.Name != "kms" && api.Name != "sqs" { // serializers in tables; all snapshots
			names = d.sources()
			if names < 20 {
				t.Errorf("%s: only %d functions found in the serializers", api.Name, names)
			}
		}
		d.enums()
		t.Logf("%s: %d snapshots, %d functions compared", api.Name, snapshots, names)
		got = append(got, d.found...)
	}
	slices.Sort(got)
	file := filepath.Join("testdata", "differences.txt")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(src)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			want = append(want, line)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("difference: %s", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no difference any more: %s", w)
		}
	}
}

// moduleDir finds the SDK module of a service, in the version that go.mod pins,
// and brings it when the module cache does not have it.
func moduleDir(t *testing.T, service string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json",
		"github.com/aws/aws-sdk-go-v2/service/"+service)
	out, err := cmd.Output()
	var module struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil || module.Dir == "" {
		t.Fatalf("no module of %s: %v", service, err)
	}
	return module.Dir
}

// differ collects how one service and its SDK differ.
type differ struct {
	t     *testing.T
	codec *wire.Codec
	dir   string
	found []string
}

func (d *differ) add(what, name, difference string) {
	d.found = append(d.found, d.codec.API().Name+" "+what+" "+name+": "+difference)
}

func (d *differ) glob(folder, suffix string, each func(name string, s snapshot)) int {
	files, err := filepath.Glob(filepath.Join(d.dir, folder, "*"+suffix))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			d.t.Fatal(err)
		}
		each(strings.TrimSuffix(filepath.Base(f), suffix), parseSnapshot(string(src)))
	}
	return len(files)
}

// snapshot is a message as the SDK's files have it.
type snapshot struct {
	first string // "POST /" or a status
	wire.Request
}

func parseSnapshot(src string) snapshot {
	head, body, _ := strings.Cut(src, "\n\n")
	if strings.Count(head, "\n") == 0 { // a request has an empty line after its first
		more, rest, _ := strings.Cut(body, "\n\n")
		head, body = head+"\n"+more, rest
	}
	lines := strings.Split(head, "\n")
	s := snapshot{first: lines[0], Request: wire.Request{Body: []byte(body)}}
	s.Method, s.Path, _ = strings.Cut(lines[0], " ")
	s.Header = map[string][]string{}
	for _, l := range lines[1:] {
		if k, v, ok := strings.Cut(l, ": "); ok {
			s.Header.Set(k, v)
		}
	}
	return s
}

func (d *differ) snapshots() int {
	n := d.glob("request_snapshot", ".request.snap", d.request)
	n += d.glob("response_snapshot", ".response.snap", d.response)
	return n + d.glob("response_snapshot", ".error.snap", d.fault)
}

// request reads a snapshot and renders it again: what is lost is a difference.
func (d *differ) request(name string, s snapshot) {
	op, err := d.codec.Route(&s.Request)
	if err != nil {
		d.add("request", name, "no operation")
		return
	}
	in := op.In()
	if err := d.codec.Decode(op, &s.Request, in); err != nil && !violation(err) {
		d.add("request", name, err.Error())
		return
	}
	again, err := d.codec.EncodeRequest(op, in)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, h := range []string{"Content-Type", "X-Amz-Target"} {
		if again.Header.Get(h) != s.Header.Get(h) {
			d.add("request", name, h+" "+again.Header.Get(h))
		}
	}
	d.same("request", name, s.Body, again.Body)
}

func (d *differ) response(name string, s snapshot) {
	op, ok := d.codec.API().Op(name)
	if !ok {
		d.add("response", name, "no operation")
		return
	}
	status, _ := strconv.Atoi(s.first)
	out := op.Out()
	r := &wire.Response{Status: status, Header: s.Header, Body: s.Body}
	if err := d.codec.DecodeResponse(op, r, out); err != nil && !violation(err) {
		d.add("response", name, err.Error())
		return
	}
	again, err := d.codec.Encode(op, out, "id")
	if err != nil {
		d.t.Fatal(err)
	}
	if again.Status != status {
		d.add("response", name, "status "+strconv.Itoa(again.Status))
	}
	d.same("response", name, s.Body, again.Body)
}

// fault renders the exception of that name.
func (d *differ) fault(name string, s snapshot) {
	for _, f := range d.codec.API().Faults {
		typ := reflect.TypeOf(f).Elem()
		if typ.Name() != name {
			continue
		}
		e := reflect.New(typ)
		for i := range typ.NumField() {
			e.Elem().Field(i).SetString("__Message__")
		}
		r := d.codec.EncodeError(e.Interface().(wire.Fault), "id")
		if strconv.Itoa(r.Status) != s.first {
			d.add("error", name, "status "+strconv.Itoa(r.Status)+", the SDK has "+s.first)
		}
		d.same("error", name, s.Body, r.Body)
		return
	}
	d.add("error", name, "no exception")
}

// violation says whether err is only about values: the snapshots say
// "__KeyId__" where the model wants a pattern.
func violation(err error) bool {
	_, ok := err.(*wire.ValidationError)
	return ok
}

// same compares two bodies, JSON or forms.
func (d *differ) same(what, name string, want, got []byte) {
	var x, y any
	if bytes.Contains(want, []byte("Action=")) {
		a, err := url.ParseQuery(string(want))
		b, err2 := url.ParseQuery(string(got))
		if err != nil || err2 != nil {
			d.t.Fatal(err, err2)
		}
		for k := range a {
			if !reflect.DeepEqual(a[k], b[k]) {
				d.add(what, name, "parameter "+k)
			}
		}
		for k := range b {
			if a[k] == nil {
				d.add(what, name, "our parameter "+k)
			}
		}
		return
	}
	if err := json.Unmarshal(want, &x); err != nil {
		d.t.Fatalf("%s: %v", want, err)
	}
	if err := json.Unmarshal(got, &y); err != nil {
		d.t.Fatalf("%s: %v", got, err)
	}
	d.tree(what, name, "", x, y)
}

func (d *differ) tree(what, name, path string, want, got any) {
	a, isObject := want.(map[string]any)
	b, both := got.(map[string]any)
	if !isObject || !both {
		if !reflect.DeepEqual(want, got) {
			d.add(what, name, "member "+strings.TrimPrefix(path, "."))
		}
		return
	}
	for k := range a {
		d.tree(what, name, path+"."+k, a[k], b[k])
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			d.add(what, name, "our member "+path+"."+k)
		}
	}
}
