package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The identity and time of AWS's published test suite.
const (
	suiteKeyID  = "AKIDEXAMPLE"
	suiteSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteScope  = suiteKeyID + "/20150830/us-east-1/service/aws4_request"
	suiteDate   = "20150830T123600Z"
	suiteHost   = "example.amazonaws.com"

	unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	stsToken   = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWs" +
		"KWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2" +
		"wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT" +
		"38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2I" +
		"CCR/oLxBA=="
)

// suiteTime is the time of the suite.
func suiteTime() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }

// suiteLookup knows the suite's key alone.
func suiteLookup(id string) (Secret, error) {
	if id != suiteKeyID {
		return Secret{}, ErrUnknownKey
	}
	return NewSecret(suiteSecret), nil
}

// suiteVerifier has the suite's clock.
func suiteVerifier() *Verifier { return New(Config{Now: suiteTime}) }

// vectors are the cases of AWS's suite: a request, the headers beside Host and
// X-Amz-Date, and the signature. Folded header lines (multiline) arrive in Go
// as one value with spaces, so that case has its lines as values.
var vectors = []struct {
	name, method, uri string
	headers           []string // name, value, …
	body, signed      string
	signature         string
}{
	{"get-vanilla", "GET", "/", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-header-key-duplicate", "GET", "/",
		[]string{"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"},
		"", "host;my-header1;x-amz-date",
		"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-multiline", "GET", "/",
		[]string{"My-Header1", "value1", "My-Header1", "  value2", "My-Header1", "     value3"},
		"", "host;my-header1;x-amz-date",
		"ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"},
	{"get-header-value-order", "GET", "/", []string{"My-Header1", "value4", "My-Header1", "value1",
		"My-Header1", "value3", "My-Header1", "value2"},
		"", "host;my-header1;x-amz-date",
		"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim", "GET", "/",
		[]string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`},
		"", "host;my-header1;my-header2;x-amz-date",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-unreserved", "GET", "/" + unreserved, nil, "", "host;x-amz-date",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8", "GET", "/ሴ", nil, "", "host;x-amz-date",
		"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-vanilla-empty-query-key", "GET", "/?Param1=value1", nil, "", "host;x-amz-date",
		"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-key", "GET", "/?Param1=value2&Param1=Value1", nil,
		"", "host;x-amz-date",
		"eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
	{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil,
		"", "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-value", "GET", "/?Param1=value2&Param1=value1", nil,
		"", "host;x-amz-date",
		"5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{"get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
		nil, "", "host;x-amz-date",
		"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-unreserved", "GET", "/?" + unreserved + "=" + unreserved, nil,
		"", "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query", "GET", "/?ሴ=bar", nil, "", "host;x-amz-date",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-vanilla-with-session-token", "GET", "/", []string{"X-Amz-Security-Token",
		"6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"},
		"", "host;x-amz-date;x-amz-security-token",
		"07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"post-vanilla", "POST", "/", nil, "", "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort", "POST", "/", []string{"My-Header1", "value1"},
		"", "host;my-header1;x-amz-date",
		"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case", "POST", "/", []string{"My-Header1", "VALUE1"},
		"", "host;my-header1;x-amz-date",
		"cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-vanilla-query", "POST", "/?Param1=value1", nil, "", "host;x-amz-date",
		"28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-x-www-form-urlencoded", "POST", "/",
		[]string{"Content-Type", "application/x-www-form-urlencoded"},
		"Param1=value1", "content-type;host;x-amz-date",
		"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{"post-x-www-form-urlencoded-parameters", "POST", "/",
		[]string{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"},
		"Param1=value1", "content-type;host;x-amz-date",
		"1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	{"post-sts-header-before", "POST", "/", []string{"X-Amz-Security-Token", stsToken},
		"", "host;x-amz-date;x-amz-security-token",
		"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"get-relative", "GET", "/example/..", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative-relative", "GET", "/example1/example2/../..", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash", "GET", "//", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-dot-slash", "GET", "/./", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-pointless-dot", "GET", "/./example", nil, "", "host;x-amz-date",
		"ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{"get-slashes", "GET", "//example//", nil, "", "host;x-amz-date",
		"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{"get-space", "GET", "/example space/", nil, "", "host;x-amz-date",
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
}

// presigned are the suite's cases of the query form, with a life of an hour.
var presigned = []struct {
	name, uri string
	headers   []string
	signed    string
	signature string
}{
	{"get-vanilla-query", "/", nil, "host",
		"e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"},
	{"get-utf8", "/ሴ", nil, "host",
		"10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44"},
	{"get-space-normalized", "/example space/", nil, "host",
		"7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6"},
	{"get-vanilla-query-order-key-case", "/?Param2=value2&Param1=value1", nil, "host",
		"86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"},
	{"get-header-value-trim", "/",
		[]string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`},
		"host;my-header1;my-header2",
		"e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4"},
}

// request makes what a server would read.
func request(t testing.TB, method, uri string, headers ...string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, Host: suiteHost, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// TestSuite verifies and makes AWS's signatures.
func TestSuite(t *testing.T) {
	t.Parallel()
	v := suiteVerifier()
	for _, c := range vectors {
		r := request(t, c.method, c.uri, c.headers...)
		r.Header.Set("X-Amz-Date", suiteDate)
		want := algorithm + " Credential=" + suiteScope + ", SignedHeaders=" + c.signed +
			", Signature=" + c.signature
		r.Header.Set("Authorization", want)
		got, err := v.Verify(r, []byte(c.body), suiteLookup)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.AccessKeyID != suiteKeyID || got.Region != "us-east-1" || got.Service != "service" ||
			!got.Date.Equal(suiteTime()) || got.Presigned || got.UnsignedPayload ||
			got.SessionToken != r.Header.Get("X-Amz-Security-Token") {
			t.Errorf("%s: %+v", c.name, got)
		}
		key := Key{suiteKeyID, NewSecret(suiteSecret), got.SessionToken}
		Sign(r, []byte(c.body), key, "us-east-1", "service", suiteTime())
		if signed := r.Header.Get("Authorization"); signed != want {
			t.Errorf("%s: signed %s", c.name, signed)
		}
	}
}

// TestSuiteTokenAfter adds the session token after signing, as the suite's
// post-sts-header-after.
func TestSuiteTokenAfter(t *testing.T) {
	t.Parallel()
	r := request(t, "POST", "/", "X-Amz-Date", suiteDate, "X-Amz-Security-Token", stsToken,
		"Authorization", algorithm+" Credential="+suiteScope+", SignedHeaders=host;x-amz-date, "+
			"Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
	if c, err := suiteVerifier().Verify(r, nil, suiteLookup); err != nil ||
		c.SessionToken != stsToken {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestSuitePresigned verifies and makes AWS's presigned requests.
func TestSuitePresigned(t *testing.T) {
	t.Parallel()
	v := suiteVerifier()
	for _, c := range presigned {
		uri := c.uri + map[bool]string{true: "&", false: "?"}[strings.Contains(c.uri, "?")] +
			"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + url.QueryEscape(suiteScope) +
			"&X-Amz-Date=" + suiteDate + "&X-Amz-SignedHeaders=" + url.QueryEscape(c.signed) +
			"&X-Amz-Expires=3600&X-Amz-Signature=" + c.signature
		r := request(t, "GET", uri, c.headers...)
		r.Header.Set("X-Amz-Date", suiteDate) // the suite's requests have it, not signed
		if got, err := v.Verify(r, nil, suiteLookup); err != nil || !got.Presigned {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		r = request(t, "GET", c.uri, c.headers...)
		Presign(r, nil, Key{AccessKeyID: suiteKeyID, Secret: NewSecret(suiteSecret)},
			"us-east-1", "service", suiteTime(), time.Hour)
		if got := r.URL.Query().Get("X-Amz-Signature"); got != c.signature {
			t.Errorf("%s: signed %s", c.name, got)
		}
	}
}
