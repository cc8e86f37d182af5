package sqs

import (
	"strings"
	"testing"

	"coffer/internal/aws/gateway"
)

// TestAddressOf reads a queue's URL with any host, and what old clients make of one.
func TestAddressOf(t *testing.T) {
	t.Parallel()
	const account = "111122223333"
	longest := strings.Repeat("q", maxName)
	call := &gateway.Call{Account: "444455556666", Region: "eu-west-1"}
	for text, want := range map[string]string{
		"https://localhost:4566/" + account + "/a-b_C9":             account + "/a-b_C9",
		"http://sqs.eu-west-1.amazonaws.com/" + account + "/q.fifo": account + "/q.fifo",
		"https://host/before/" + account + "/q":                     account + "/q",
		"https://host/" + account + "/q/":                           account + "/q",
		"https://host/" + account + "/q?Action=SendMessage":         account + "/q",
		"https://host/" + account + "/%71":                          account + "/q",
		"/" + account + "/q":                                        account + "/q",
		account + "/q":                                              account + "/q",
		"q":                                                         call.Account + "/q",
		longest:                                                     call.Account + "/" + longest,
		longest + "q":                                               "",
		"":                                                          "",
		".fifo":                                                     "",
		"https://host/" + account + "/":                             "",
		"https://host/" + account + "/q.fifo.fifo":                  "",
		"https://host/" + account + "/q\x00":                        "",
		"https://host/" + account + "/qü":                           "",
		"https://host/" + account + "/q@[`{":                        "",
		"https://host/11112222333/q":                                "",
		"https://host/1111222233334/q":                              "",
		"https://host/11112222333x/q":                               "",
		"https://host/queue/q":                                      "",
		"https://host/%zz/" + account + "/q":                        account + "/q",
		"https://host/%zz/" + account + "/q/":                       "",
	} {
		a, err := addressOf(call, text)
		got := a.account + "/" + a.name
		if err != nil {
			got = ""
		}
		if got != want || err == nil && a.region != call.Region {
			t.Errorf("%q: got %q in %q, want %q (%v)", text, got, a.region, want, err)
		}
	}
}
