package sqs

import (
	"reflect"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/broker"
)

// FuzzMessage: what is read of a header is written as the same bytes, and any others are
// refused without harm.
func FuzzMessage(f *testing.F) {
	m := message{
		sent: time.UnixMilli(1), sender: "s", group: "g", dedup: "d", trace: "t",
		attributes: map[string]api.MessageAttributeValue{
			"a": {DataType: "String", StringValue: "x"},
			"b": {DataType: "Binary.x", BinaryValue: []byte{1}},
		},
	}
	f.Add(m.append(nil))
	f.Add((&message{}).append(nil))
	f.Fuzz(func(t *testing.T, header []byte) {
		m, err := parseMessage(broker.Content{Format: ContentFormat, Header: header})
		if err != nil {
			return
		}
		again, err := parseMessage(broker.Content{Format: ContentFormat, Header: m.append(nil)})
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v is read as %+v, %v", m, again, err)
		}
	})
}

// TestFirstHeader: a header of version 1 is read, and the digest that it has not is made.
func TestFirstHeader(t *testing.T) {
	t.Parallel()
	m := message{sum: digestOf([]byte("body")), sent: time.UnixMilli(1), sender: "s"}
	header := append([]byte{1}, m.append(nil)[1+len(m.sum):]...)
	c := broker.Content{Format: ContentFormat, Header: header, Body: []byte("body")}
	if got, err := parseMessage(c); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v, want %+v", got, err, m)
	}
}

// FuzzAddress: a URL gives the address that its own URL gives.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"https://localhost:4566/111122223333/orders", "/a/b", "%", "//", "orders",
	} {
		f.Add(s)
	}
	call := &gateway.Call{Account: home, Region: here, Host: "localhost"}
	f.Fuzz(func(t *testing.T, url string) {
		a, err := addressOf(call, url)
		if err != nil {
			return
		}
		if again, err := addressOf(call, a.url(call)); err != nil || again != a {
			t.Errorf("%q is %v, then %v, %v", url, a, again, err)
		}
		if !goodName(a.name) || strings.ContainsAny(a.name, "/:") {
			t.Errorf("%q gives the name %q", url, a.name)
		}
	})
}
