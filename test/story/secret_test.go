package story

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"coffer/test/story/kit"
)

// TestLogHoldsNoSecret plays with every kind of secret while everything is logged: none
// stands in the log, whether it was right or wrong, and each line is JSON with a level and
// a message. The server looks for the secrets when the test ends.
func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	s := start(t, "--log-level", "debug", "--log-format", "json", "--log-names", "hashed")
	root := s.AWS()
	s.Secret(s.Env["AWS_SECRET_ACCESS_KEY"])
	key, err := os.ReadFile(filepath.Join(s.Data(), "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	s.Secret(strings.TrimSpace(string(key)))
	keySecrets(t, s, root)
	identitySecrets(t, s, root)
	brokerSecrets(t, s)
	s.Stop()
	for line := range strings.Lines(s.Log()) {
		var got struct{ Time, Level, Msg string }
		if json.Unmarshal([]byte(line), &got) != nil || got.Time == "" || got.Level == "" ||
			got.Msg == "" {
			t.Errorf("not as it should be: %s", line)
		}
	}
	if !strings.Contains(s.Log(), `"level":"DEBUG"`) {
		t.Error("nothing was logged for debugging")
	}
}

// bytesSecret names bytes in the forms that a log may have them.
func bytesSecret(s *kit.Server, b []byte) {
	s.Secret(base64.StdEncoding.EncodeToString(b))
	s.Secret(hex.EncodeToString(b))
	s.Secret(fmt.Sprint(b))
}

func keySecrets(t *testing.T, s *kit.Server, root *kit.AWS) {
	t.Helper()
	id := kit.CreateKey(t, root)
	plain := []byte("the words of the envelope")
	bytesSecret(s, plain)
	s.Secret(string(plain))
	sealed := kit.Do(t, root.KMS.Encrypt, &kms.EncryptInput{KeyId: &id, Plaintext: plain})
	kit.Do(t, root.KMS.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	data := kit.Do(t, root.KMS.GenerateDataKey, &kms.GenerateDataKeyInput{
		KeyId: &id, KeySpec: kmstypes.DataKeySpecAes256})
	bytesSecret(s, data.Plaintext)
	sealed.CiphertextBlob[len(sealed.CiphertextBlob)-1] ^= 1
	kit.Refused(t, root.KMS.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob},
		"InvalidCiphertextException")
}

func identitySecrets(t *testing.T, s *kit.Server, root *kit.AWS) {
	t.Helper()
	d := kit.Do(t, root.IAM.CreateVirtualMFADevice, &iam.CreateVirtualMFADeviceInput{
		VirtualMFADeviceName: aws.String("phone")}).VirtualMFADevice
	s.Secret(string(d.Base32StringSeed))
	alice := user(t, s, root, "alice", allow("*", ""))
	session := kit.Do(t, alice.STS.GetSessionToken, &sts.GetSessionTokenInput{}).Credentials
	s.Secret(aws.ToString(session.SecretAccessKey))
	s.Secret(aws.ToString(session.SessionToken))
	kit.Do(t, s.AWSWith(session).STS.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	stranger := s.AWSAs(s.Env["AWS_ACCESS_KEY_ID"], "a-wrong-secret-key-of-forty-characters-x")
	s.Secret("a-wrong-secret-key-of-forty-characters-x")
	kit.Refused(t, stranger.STS.GetCallerIdentity, &sts.GetCallerIdentityInput{},
		"SignatureDoesNotMatch")
}

func brokerSecrets(t *testing.T, s *kit.Server) {
	t.Helper()
	main, err := url.Parse(s.Main())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := main.User.Password()
	const wrong, bobs, link = "Wrong-guess-4711", "Bobs-own-word-12", "Word-of-the-link-9"
	const body = "what nobody but the consumer may read"
	for _, word := range []string{password, wrong, bobs, link, body} {
		s.Secret(word)
	}
	_, err = s.TryDial("amqps://admin:" + wrong + "@" + main.Host + "/%2f")
	if err == nil {
		t.Error("a wrong password was right")
	}
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent(body))) {
		t.Error("a message is refused")
	}
	if d, ok, err := ch.Get("q", true); err != nil || !ok || string(d.Body) != body {
		t.Errorf("%v %v %s", ok, err, d.Body)
	}
	for path, text := range map[string]string{
		"/api/users/bob": `{"password":"` + bobs + `","tags":"management"}`,
		"/api/parameters/shovel/%2f/s": `{"value":{"src-uri":"amqps://bob:` + link +
			`@localhost:1","src-queue":"q","dest-uri":"amqps://bob:` + link +
			`@localhost:1","dest-queue":"q2"}}`,
		"/api/users/wrong": `{"password":"` + bobs + `","tags":7`,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
			s.Env["COFFER_MANAGEMENT_URL"]+path, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if ok := resp.StatusCode < 300; ok == strings.HasSuffix(path, "wrong") {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	kit.Wait(t, "the shovel to try", func() bool { return strings.Contains(s.Log(), "shovel") })
	r := kit.Run(t, binary, "users", "reset-password", "--data", s.Data())
	_, word, ok := strings.Cut(strings.TrimSpace(r.Out), "password ")
	if !ok {
		t.Errorf("reset: %s", r.Err)
	}
	s.Secret(word)
}
