package policy

import (
	"slices"
	"testing"
)

// TestPin: a pinned principal is known by its unique id and no more by its ARN;
// others stay as they are, and so does the document itself.
func TestPin(t *testing.T) {
	t.Parallel()
	const account = "111122223333"
	user := func(name, id string) Principal {
		return Principal{Kind: User, Account: account, Name: name, UserID: id,
			ARN: "arn:aws:iam::" + account + ":user/" + name}
	}
	alice, anew := user("alice", "AIDAAAAAAAAAAAAAAAAAA"), user("alice", "AIDABBBBBBBBBBBBBBBBB")
	bob := user("bob", "AIDACCCCCCCCCCCCCCCCC")
	visitor := func(of Principal) Principal {
		return Principal{Kind: FederatedUser, Account: account, UserID: account + ":v",
			Issuer: of.ARN, IssuerID: of.UserID}
	}
	doc, err := Parse([]byte(`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",`+
		`"Principal":{"AWS":["`+bob.ARN+`","`+alice.ARN+`","`+account+`"],`+
		`"Service":"ec2.amazonaws.com"}}]}`), Trust)
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.PrincipalARNs(); !slices.Equal(got, []string{alice.ARN, bob.ARN}) {
		t.Errorf("%q", got)
	}
	pinned := doc.Pin(map[string]string{alice.ARN: alice.UserID})
	for _, c := range []struct {
		doc  *Document
		who  Principal
		want reach
	}{
		{doc, alice, byName}, {doc, anew, byName}, {doc, bob, byName},
		{pinned, alice, byName}, {pinned, anew, byAccount}, {pinned, bob, byName},
		{doc, visitor(alice), byIssuer}, {pinned, visitor(alice), byIssuer},
		{pinned, visitor(anew), byAccount},
	} {
		e := evaluation{request: &Request{Principal: c.who}}
		if got := c.doc.statements[0].reach(&e); got != c.want {
			t.Errorf("%s reached %d, want %d", c.who.UserID, got, c.want)
		}
	}
}
