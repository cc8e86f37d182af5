package wire_test

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"coffer/internal/aws/api/mq"
	"coffer/internal/aws/wire"
)

func TestRESTRoute(t *testing.T) {
	c := compile(t, &mq.API)
	for _, e := range []struct{ method, path, want string }{
		{"POST", "/v1/brokers", "CreateBroker"},
		{"GET", "/v1/brokers", "ListBrokers"},
		{"GET", "/v1/brokers/b-1", "DescribeBroker"},
		{"DELETE", "/v1/brokers/b-1/users/u%2Fv", "DeleteUser"},
		{"GET", "/v1/configurations/c-1/revisions/3", "DescribeConfigurationRevision"},
		{"POST", "/v1/tags/arn%3Aaws%3Amq", "CreateTags"},
		{"PATCH", "/v1/brokers", ""},
		{"GET", "/v1/brokers/", ""},
		{"GET", "/v1/brokers/b/", ""},
		{"GET", "/v2/brokers", ""},
		{"GET", "v1/brokers", ""},
		{"GET", "", ""},
	} {
		op, err := c.Route(&wire.Request{Method: e.method, Path: e.path})
		if e.want == "" {
			f, ok := err.(wire.Fault)
			if !ok {
				t.Errorf("%s %s: %v", e.method, e.path, err)
				continue
			}
			if code, status := f.Fault(); code != "UnknownOperationException" || status != 404 {
				t.Errorf("%s %d", code, status)
			}
			continue
		}
		if err != nil || op.Name != e.want {
			t.Errorf("%s %s: %v %v", e.method, e.path, op, err)
		}
	}
}

func TestRESTDecode(t *testing.T) {
	c := compile(t, &mq.API)
	op, _ := mq.API.Op("DeleteTags")
	in := &mq.DeleteTagsInput{}
	r := &wire.Request{Path: "/v1/tags/arn%3Aaws", RawQuery: "tagKeys=a%20b&tagKeys=c"}
	if err := c.Decode(op, r, in); err != nil {
		t.Fatal(err)
	}
	if in.ResourceArn != "arn:aws" || !reflect.DeepEqual(in.TagKeys, []string{"a b", "c"}) {
		t.Errorf("%+v", in)
	}
	for _, r := range []*wire.Request{
		{Path: "/v1/tags/a%zz", RawQuery: "tagKeys=a"},
		{Path: "/v1/tags/a%ff", RawQuery: "tagKeys=a"},
		{Path: "/v1/tags/a", RawQuery: "tagKeys=%zz"},
		{Path: "/v1/brokers", RawQuery: "tagKeys=a"},
	} {
		if err := c.Decode(op, r, op.In()); err == nil || violation(err) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := c.Decode(op, &wire.Request{Path: "/v1/tags/a"}, op.In()); !violation(err) {
		t.Errorf("absent tag keys: %v", err)
	}
	// A member of the path cannot come in the body.
	user, _ := mq.API.Op("UpdateUser")
	put := &mq.UpdateUserInput{}
	body := []byte(`{"username":"x","groups":["g"]}`)
	r = &wire.Request{Path: "/v1/brokers/b/users/u", Body: body}
	if err := c.Decode(user, r, put); err != nil || put.Username != "u" || len(put.Groups) != 1 {
		t.Errorf("%+v %v", put, err)
	}
}

func TestRESTEncode(t *testing.T) {
	c := compile(t, &mq.API)
	op, _ := mq.API.Op("DeleteTags")
	r, err := c.Encode(op, &mq.DeleteTagsOutput{}, "id")
	if err != nil || r.Status != 204 || len(r.Body) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	op, _ = mq.API.Op("CreateConfiguration")
	r, err = c.Encode(op, &mq.CreateConfigurationOutput{Name: "n", Created: time.Unix(1, 0)}, "id")
	want := `{"created":"1970-01-01T00:00:01Z","name":"n"}`
	if err != nil || string(r.Body) != want {
		t.Errorf("%s %v", r.Body, err)
	}
	e := c.EncodeError(&mq.NotFoundException{Message: "none", ErrorAttribute: "broker-id"}, "id")
	if string(e.Body) != `{"errorAttribute":"broker-id","message":"none"}` || e.Status != 404 {
		t.Errorf("%d %s", e.Status, e.Body)
	}
}

// The types of a service written by hand have what mq has not: greedy labels,
// headers, a status, payloads.
type (
	getInput struct {
		Bucket string            `aws:"Bucket,,required,uri"`
		Key    string            `aws:"Key,,required,uri"`
		Since  time.Time         `aws:"If-Modified-Since,,header"`
		Codes  []int32           `aws:"X-Codes,,header"`
		Meta   map[string]string `aws:"X-Meta-,,headers"`
		Body   []byte            `aws:"Body,,payload"`
	}
	getOutput struct {
		Code int32  `aws:"Code,,status"`
		Type string `aws:"Content-Type,,header"`
		Doc  *doc   `aws:"Doc,,payload"`
	}
	doc struct {
		N *int32 `aws:"n,small"`
	}
	hand interface {
		Get(context.Context, *getInput) (*getOutput, error)
	}
)

func handAPI(uri string) *wire.API {
	return &wire.API{
		Name: "hand", Protocol: "rest-json",
		Shapes: []wire.Shape{{Name: "small", Max: "9"}},
		Ops: []wire.Op{wire.Method(
			wire.Op{Name: "Get", Method: "PUT", URI: uri, Status: 201}, hand.Get)},
	}
}

func TestRESTPlaces(t *testing.T) {
	c := compile(t, handAPI("/{Bucket}/{Key+}"))
	op := &c.API().Ops[0]
	in := &getInput{
		Bucket: "b c", Key: "a/b", Since: time.Unix(1e9, 0).UTC(), Codes: []int32{1, 2},
		Meta: map[string]string{"one": "1"}, Body: []byte{0, 255},
	}
	if got := request(t, c, op, in); !reflect.DeepEqual(got, in) {
		t.Errorf("%+v", got)
	}
	out := &getOutput{Code: 206, Type: "application/x", Doc: &doc{N: new(int32(3))}}
	r, err := c.Encode(op, out, "id")
	if err != nil || r.Status != 206 || string(r.Body) != `{"n":3}` ||
		r.Header.Get("Content-Type") != "application/x" {
		t.Errorf("%+v %s %v", r, r.Body, err)
	}
	got := &getOutput{}
	if err := c.DecodeResponse(op, r, got); err != nil || !reflect.DeepEqual(got, out) {
		t.Errorf("%+v %v", got, err)
	}
	r = &wire.Response{Status: 200, Header: http.Header{}, Body: []byte(`{"n":10}`)}
	err = c.DecodeResponse(op, r, got)
	want := "1 validation error detected: Value '10' at 'doc.n' failed to satisfy constraint: " +
		"Member must have value less than or equal to 9"
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestCompileRefuses(t *testing.T) {
	bad := []*wire.API{
		handAPI("/x?y"), handAPI("x"), handAPI("/{Key+}/x"), {Protocol: "ec2"},
		{Protocol: "rest-xml"},
	}
	for _, f := range []func(a *wire.API){
		func(a *wire.API) { a.Shapes = nil },
		func(a *wire.API) { a.Shapes[0].Max = "many" },
		func(a *wire.API) { a.Shapes[0].Pattern = "(" },
		func(a *wire.API) { a.Shapes = append(a.Shapes, a.Shapes[0]) },
		func(a *wire.API) { a.Ops = append(a.Ops, a.Ops[0]) },
		func(a *wire.API) { a.Ops[0].Out = func() any { return new(struct{ X string }) } },
		func(a *wire.API) {
			a.Ops[0].Out = func() any {
				return new(struct {
					X chan int `aws:"X,"`
				})
			}
		},
		func(a *wire.API) {
			a.Ops[0].Out = func() any {
				return new(struct {
					X string `aws:"X,,moon"`
				})
			}
		},
		func(a *wire.API) {
			a.Ops[0].Out = func() any {
				return new(struct {
					X *doc `aws:"X,,header"`
				})
			}
		},
	} {
		a := handAPI("/{Bucket}/{Key+}")
		f(a)
		bad = append(bad, a)
	}
	for i, a := range bad {
		if _, err := wire.Compile(a); err == nil {
			t.Errorf("case %d compiles", i)
		}
	}
}
