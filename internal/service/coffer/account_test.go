package coffer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

// ledger keeps accounts.
type ledger struct{ list []Account }

var _ Accounts = (*ledger)(nil)

func (l *ledger) CreateAccount(_ context.Context, id string) (string, string, error) {
	for _, a := range l.list {
		if a.ID == id {
			return "", "", fault.New(fault.Exists, "Account %s exists already.", id)
		}
	}
	l.list = append(l.list, Account{id, time.Unix(int64(len(l.list)), 0).UTC()})
	return "AKIA" + id, "secret of " + id, nil
}

func (l *ledger) CreateRootKey(_ context.Context, id string, replace bool) (
	string, string, error,
) {
	for _, a := range l.list {
		if a.ID == id && replace {
			return "AKIANEW" + id, "secret of " + id, nil
		}
		if a.ID == id {
			return "", "", fault.New(fault.Exhausted, "It has two.")
		}
	}
	return "", "", fault.New(fault.NotFound, "Account %s does not exist.", id)
}

func (l *ledger) ListAccounts(context.Context) ([]Account, error) { return l.list, nil }

// TestAccounts: an account is made once, its secret stands in the answer alone.
func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	c := w.client(policy.RootPrincipal(account))
	in := &api.CreateAccountInput{AccountId: "222222222222"}
	out, err := c.CreateAccount(t.Context(), in)
	want := api.CreateAccountOutput{AccountId: "222222222222", AccessKeyId: "AKIA222222222222",
		SecretAccessKey: "secret of 222222222222"}
	if err != nil || *out != want {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = c.CreateAccount(t.Context(), in)
	if err == nil || err.Error() != "AccountExistsException: Account 222222222222 exists already." {
		t.Error(err)
	}
	list, err := c.ListAccounts(t.Context(), &api.ListAccountsInput{})
	if err != nil || len(list.Accounts) != 1 || list.Accounts[0].AccountId != in.AccountId {
		t.Errorf("%+v, %v", list, err)
	}
	for _, e := range w.events {
		if strings.Contains(fmt.Sprint(e.ResponseElements), "secret of") {
			t.Errorf("%v", e.ResponseElements)
		}
	}
	if len(w.events) != 3 || w.events[0].ResponseElements["accessKeyId"] != out.AccessKeyId {
		t.Errorf("%d events, %v", len(w.events), w.events[0].ResponseElements)
	}
}

// TestRootAccessKey: a key that the operator makes of another account's root user is on
// record in both accounts, without its secret.
func TestRootAccessKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	const other = "222222222222"
	w.ledger.list = []Account{{ID: other}}
	c := w.client(policy.RootPrincipal(account))
	make := func(id string, replace bool) (*api.CreateRootAccessKeyOutput, error) {
		return c.CreateRootAccessKey(t.Context(),
			&api.CreateRootAccessKeyInput{AccountId: id, Replace: &replace})
	}
	if _, err := make("333333333333", true); !is[*api.AccountNotFoundException](err) {
		t.Errorf("of no account: %v", err)
	}
	if _, err := make(other, false); !is[*api.LimitExceededException](err) {
		t.Errorf("a third: %v", err)
	}
	out, err := make(other, true)
	if err != nil || out.AccessKeyId != "AKIANEW"+other || out.SecretAccessKey == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	told := map[string]bool{}
	for _, e := range w.events[2:] {
		told[e.RecipientAccountID] = e.ResponseElements["accessKeyId"] == out.AccessKeyId
		if strings.Contains(fmt.Sprint(e.ResponseElements), "secret of") {
			t.Errorf("%v", e.ResponseElements)
		}
	}
	if len(told) != 2 || !told[account] || !told[other] {
		t.Errorf("on record: %v", told)
	}
}

// TestOperatorAlone: what concerns the whole process is not for other accounts, not
// even for their root users.
func TestOperatorAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	const other = "222222222222"
	doc, err := policy.Parse([]byte(`{"Statement":[{"Effect":"Allow","Action":"*",`+
		`"Resource":"*"}]}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	user := policy.Principal{Kind: policy.User, Account: other, Name: "bob", UserID: "AIDABOB",
		ARN: "arn:aws:iam::" + other + ":user/bob"}
	for _, who := range []*gateway.Identity{
		{Principal: policy.RootPrincipal(other)},
		{Principal: user, Policies: []policy.Policy{{Name: "all", Document: doc}}},
	} {
		c := &gateway.Caller{Gateway: w.gateway, Service: "test", Account: other,
			Region: "us-east-1", Identity: who}
		for _, name := range []string{"CreateAccount", "CreateRootAccessKey", "ListAccounts",
			"DescribeStore",
			"MoveBroker", "CreateBackup", "DeleteBackup", "DescribeBackup", "ListBackups"} {
			op, ok := api.API.Op(name)
			if !ok {
				t.Fatalf("no operation %s", name)
			}
			in := op.In()
			switch in := in.(type) {
			case *api.CreateAccountInput:
				in.AccountId = "333333333333"
			case *api.CreateRootAccessKeyInput:
				in.AccountId = account
			case *api.MoveBrokerInput:
				in.BrokerId, in.Shard = "b-"+strings.Repeat("0", 8)+"-0000-0000-0000-"+
					strings.Repeat("0", 12), 1
			case *api.DeleteBackupInput:
				in.BackupId = strings.Repeat("a", 32)
			case *api.DescribeBackupInput:
				in.BackupId = strings.Repeat("a", 32)
			}
			err := c.Call(t.Context(), &api.API, name, in, op.Out())
			if fault.KindOf(err) != fault.Denied {
				t.Errorf("%s by %s: %v", name, &who.Principal, err)
			}
		}
	}
	if len(w.ledger.list) != 0 || len(w.shelf.list) != 0 {
		t.Errorf("%v %v", w.ledger.list, w.shelf.list)
	}
}
