package policy

import (
	"fmt"
	"testing"
)

// BenchmarkEvaluate is a KMS Decrypt: a key policy of three statements, an
// identity policy and ten grants, or ten thousand, the last of which allows.
func BenchmarkEvaluate(b *testing.B) {
	key := mustParse(b, Resource, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},
		 "Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*",
		 "Condition":{"StringEquals":{"kms:ViaService":"sqs.us-east-1.amazonaws.com"}}},
		{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
		 "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	identity := mustParse(b, Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":"kms:Decrypt","Resource":"arn:aws:kms:*:111122223333:key/*"}]}`)
	var grants []Grant
	for i := range 10 {
		grants = append(grants, Grant{ID: fmt.Sprint(i), Grantee: "mq.amazonaws.com",
			Operations:              []string{"Decrypt"},
			EncryptionContextSubset: map[string]string{"aws:ebs:id": fmt.Sprint("vol-", i)}})
	}
	request := func(p Principal) Request {
		r := Request{Principal: p, Action: "kms:Decrypt", Resource: testKey, RootOfTrust: true,
			ResourcePolicy: Policy{"key", key}, Grants: grants,
			EncryptionContext: map[string]string{"aws:ebs:id": "vol-9"}}
		r.Context.Add("aws:SecureTransport", "true")
		return r
	}
	user := request(testUser(testAccount, "alice"))
	user.Identity = []Policy{{"identity", identity}}
	many := user
	for i := range 10_000 {
		many.Grants = append(many.Grants, Grant{ID: fmt.Sprint(i), Operations: []string{"Decrypt"},
			Grantee: fmt.Sprintf("arn:aws:iam::111122223333:role/role-%d", i)})
	}
	many.Identity = nil
	many.Grants[9_999].Grantee = many.Principal.ARN
	for name, r := range map[string]Request{
		"grant": request(ServicePrincipal("mq.amazonaws.com")), "identity": user,
		"ten-thousand-grants": many,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !Evaluate(r).Allowed {
					b.Fatal("denied")
				}
			}
		})
	}
}

func mustParse(tb testing.TB, use Use, doc string) *Document {
	tb.Helper()
	d, err := Parse([]byte(doc), use)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
