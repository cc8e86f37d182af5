package wire_test

import (
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/api/iam"
	"coffer/internal/aws/api/sts"
	"coffer/internal/aws/wire"
)

const namespace = ` xmlns="https://iam.amazonaws.com/doc/2010-05-08/"`

func TestEncodeXML(t *testing.T) {
	c := compile(t, &iam.API)
	for _, e := range []struct {
		op   string
		out  any
		want string
	}{
		{"ListUsers", &iam.ListUsersOutput{
			IsTruncated: new(false),
			Users: []iam.User{{
				Arn: "a&b<c>", CreateDate: time.Unix(0, 5e6), Path: "/", UserId: "i",
				Tags: []iam.Tag{{Key: "k", Value: ""}},
			}},
		}, `<ListUsersResponse` + namespace + `><ListUsersResult>` +
			`<IsTruncated>false</IsTruncated><Users><member><Arn>a&amp;b&lt;c&gt;</Arn>` +
			`<CreateDate>1970-01-01T00:00:00.005Z</CreateDate><Path>/</Path><Tags><member>` +
			`<Key>k</Key><Value></Value></member></Tags><UserId>i</UserId><UserName></UserName>` +
			`</member></Users></ListUsersResult><ResponseMetadata><RequestId>id-1</RequestId>` +
			`</ResponseMetadata></ListUsersResponse>`},
		{"DeleteUser", &iam.DeleteUserOutput{},
			`<DeleteUserResponse` + namespace + `><ResponseMetadata>` +
				`<RequestId>id-1</RequestId></ResponseMetadata></DeleteUserResponse>`},
		{"GetAccountSummary", &iam.GetAccountSummaryOutput{
			SummaryMap: map[string]int32{"Users": 2, "Groups": 1},
		}, `<GetAccountSummaryResponse` + namespace + `><GetAccountSummaryResult>` +
			`<SummaryMap><entry><key>Groups</key><value>1</value></entry>` +
			`<entry><key>Users</key><value>2</value></entry></SummaryMap>` +
			`</GetAccountSummaryResult>` +
			`<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata>` +
			`</GetAccountSummaryResponse>`},
	} {
		op, _ := iam.API.Op(e.op)
		got, err := c.Encode(op, e.out, "id-1")
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Body) != e.want || got.Header.Get("Content-Type") != "text/xml" {
			t.Errorf("%v\ngot  %s\nwant %s", got.Header, got.Body, e.want)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	c := compile(t, &iam.API)
	const head = `<ErrorResponse` + namespace + `><Error><Type>`
	for _, e := range []struct {
		err    wire.Fault
		status int
		want   string
	}{
		{&iam.NoSuchEntityException{Message: "no user <u>"}, 404, head + `Sender</Type>` +
			`<Code>NoSuchEntity</Code><Message>no user &lt;u&gt;</Message></Error>` +
			`<RequestId>id-1</RequestId></ErrorResponse>`},
		{&iam.ServiceFailureException{}, 500, head + `Receiver</Type><Code>ServiceFailure</Code>` +
			`<Message></Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
	} {
		if r := c.EncodeError(e.err, "id-1"); r.Status != e.status || string(r.Body) != e.want {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
}

func TestQueryRoute(t *testing.T) {
	c := compile(t, &sts.API)
	for _, e := range []struct{ query, body, want string }{
		{"", "Action=GetCallerIdentity&Version=2011-06-15", ""},
		{"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=x", "", ""},
		{"Action=Other", "Action=GetCallerIdentity&Version=2011-06-15", ""},
		{"", "Action=GetCallerIdentity", "InvalidAction: Could not find operation " +
			`"GetCallerIdentity" for version "NO_VERSION_SPECIFIED"`},
		{"", "Action=Nothing&Version=2011-06-15", "InvalidAction: Could not find operation " +
			`"Nothing" for version "2011-06-15"`},
		{"", "", "MissingAction: The request must contain the parameter Action."},
		{"", "Action=%zz", "MalformedInput: could not parse the parameters: " +
			`invalid URL escape "%zz"`},
	} {
		op, err := c.Route(&wire.Request{RawQuery: e.query, Body: []byte(e.body)})
		if e.want == "" {
			if err != nil || op.Name != "GetCallerIdentity" {
				t.Errorf("%s: %v", e.body, err)
			}
			continue
		}
		f, ok := err.(wire.Fault)
		if !ok {
			t.Errorf("%s: %v", e.body, err)
			continue
		}
		if code, _ := f.Fault(); code+": "+f.Error() != e.want {
			t.Errorf("got %s: %s, want %s", code, f.Error(), e.want)
		}
	}
}

func TestFormIsBounded(t *testing.T) {
	body := "UserName=u&" + strings.Repeat("a.", 200) + "a=1"
	want := "MalformedInput: parameter name has too many parts"
	got := decodeError(t, &iam.API, "CreateUser", &wire.Request{Body: []byte(body)})
	if got != want {
		t.Error(got)
	}
}
