package wire_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/api/mq"
	"coffer/internal/aws/api/sts"
	"coffer/internal/aws/wire"
)

func TestAudit(t *testing.T) {
	for _, e := range []struct {
		api  *wire.API
		v    any
		want string
	}{
		{&kms.API, &kms.CreateGrantInput{
			KeyId: "k", GranteePrincipal: "p", Operations: []string{"Decrypt"}, DryRun: new(false),
			Constraints: &kms.GrantConstraints{
				EncryptionContextSubset: map[string]string{"Aws:X": "y"},
			},
		}, `{"constraints":{"encryptionContextSubset":{"Aws:X":"y"}},"dryRun":false,` +
			`"granteePrincipal":"p","keyId":"k","operations":["Decrypt"]}`},
		{&kms.API, &kms.EncryptInput{KeyId: "k", Plaintext: []byte("secret")}, `{"keyId":"k"}`},
		{&kms.API, &kms.DecryptInput{CiphertextBlob: []byte("x")}, `{}`},
		{&kms.API, &kms.CreateKeyOutput{KeyMetadata: &kms.KeyMetadata{
			AWSAccountId: "1", KeyId: "k", CreationDate: time.Unix(1, 0),
		}}, `{"keyMetadata":{"aWSAccountId":"1","creationDate":"1970-01-01T00:00:01Z",` +
			`"keyId":"k"}}`},
		{&mq.API, &mq.CreateBrokerInput{
			BrokerName: "b", PubliclyAccessible: true,
			Users: []mq.User{{Username: "u", Password: "hush-hush-hush"}},
		}, `{"brokerName":"b","deploymentMode":"","engineType":"","hostInstanceType":"",` +
			`"publiclyAccessible":true,"users":[{"username":"u"}]}`},
		{&mq.API, &mq.DescribeBrokerInput{BrokerId: "b-1"}, `{"broker-id":"b-1"}`},
		{&sts.API, &sts.Credentials{AccessKeyId: "A", SecretAccessKey: "s", SessionToken: "t"},
			`{"accessKeyId":"A"}`},
		{&sts.API, &kms.EncryptInput{}, `null`},
	} {
		got, err := json.Marshal(compile(t, e.api).Audit(e.v))
		if err != nil || string(got) != e.want {
			t.Errorf("%T\ngot  %s\nwant %s", e.v, got, e.want)
		}
	}
}

// TestAuditHasNoSecrets fills every input and output and looks for members
// whose names speak of secrets.
func TestAuditHasNoSecrets(t *testing.T) {
	allowed := []string{
		"passwordResetRequired", "passwordPolicy", "passwordLastUsed", "maxPasswordAge",
		"minimumPasswordLength", "expirePasswords", "allowUsersToChangePassword",
		"passwordReusePrevention",
	}
	secrets := []string{"password", "secret", "plaintext", "privatekeyp", "sessiontoken"}
	for _, api := range apis() {
		c := compile(t, api)
		f := &filler{rand.New(rand.NewPCG(1, 2)), true}
		for i := range api.Ops {
			for _, v := range []any{api.Ops[i].In(), api.Ops[i].Out()} {
				f.fill(reflect.ValueOf(v).Elem(), 0)
				walk(c.Audit(v), func(key string) {
					for _, a := range allowed {
						key = strings.Replace(key, a, "", 1)
					}
					for _, w := range secrets {
						if strings.Contains(strings.ToLower(key), w) {
							t.Errorf("%s %s records %s", api.Name, api.Ops[i].Name, key)
						}
					}
				})
			}
		}
	}
}

// walk visits the keys of a document; maps' own keys are visited too.
func walk(v any, key func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			key(k)
			walk(e, key)
		}
	case []any:
		for _, e := range v {
			walk(e, key)
		}
	}
}
