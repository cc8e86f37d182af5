package story

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/story/kit"
)

// counting publishes the numbers from 1 on to the queue q, each confirmed before the next, until
// it is stopped, and tells how many there were; each gives some of them meanwhile.
func counting(t *testing.T, ch *amqp.Channel) (each <-chan int, stop func() int) {
	t.Helper()
	now, ended, done := make(chan int), make(chan struct{}), make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		for {
			d, err := ch.PublishWithDeferredConfirm("", "q", false, false,
				persistent(strconv.Itoa(n+1)))
			if err != nil || !d.Wait() {
				t.Errorf("message %d is refused: %v", n+1, err)
				return
			}
			n++
			select {
			case now <- n:
			case <-ended:
				return
			default:
			}
		}
	}()
	return now, func() int {
		close(ended)
		kit.Receive(t, "the end of publishing", closed(done))
		return n
	}
}

// TestRotatePlatformKey replaces the platform key twice while messages are published: those of
// before, meanwhile and after come once and in order, sessions and keys of before are as they
// were, both rotations are on record, and nothing that is stored is under an older key.
func TestRotatePlatformKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.AWS()
	key := kit.CreateKey(t, a)
	secret := kit.Do(t, a.KMS.Encrypt, &kms.EncryptInput{
		KeyId: aws.String(key), Plaintext: []byte("text")}).CiphertextBlob
	bob := user(t, s, a, "bob", allow("kms:Decrypt", ""))
	token := kit.Do(t, bob.STS.GetSessionToken, &sts.GetSessionTokenInput{})
	session := s.AWSWith(token.Credentials)
	works := func() {
		t.Helper()
		out := kit.Do(t, session.KMS.Decrypt, &kms.DecryptInput{CiphertextBlob: secret})
		if !bytes.Equal(out.Plaintext, []byte("text")) {
			t.Errorf("decrypted to %q", out.Plaintext)
		}
	}
	conn := s.Dial(s.Main())
	ch := channel(t, conn, true)
	declare(t, ch, "q")
	each, stop := counting(t, ch)
	rotate := []string{"platform", "rotate", "--data", s.Data()}
	for range 2 {
		kit.Receive(t, "a message", each)
		expect(t, 0, "was replaced", rotate...)
		works()
	}
	kit.Receive(t, "a message", each)
	kit.Wait(t, "all to be sealed anew", func() bool {
		r := kit.Run(t, binary, "root", "status", "--data", s.Data())
		return strings.Contains(r.Out, "3 platform keys") &&
			strings.Contains(r.Out, "all is sealed under the newest")
	})
	sent := stop()
	if conn.IsClosed() {
		t.Error("the connection ended")
	}
	works()
	list := a.Events(t, types.LookupAttributeKeyEventName, "RotatePlatformKey")
	if len(list) != 2 {
		t.Errorf("on record: %v", list)
	}
	s.Kill()
	checked := expect(t, 0, "0 damaged", "check", "--data", s.Data())
	if strings.Contains(checked, "older") {
		t.Errorf("under an older key: %s", checked)
	}
	expect(t, 1, "nothing runs on", rotate...)
	s.Restart()
	out := kit.Do(t, s.AWS().KMS.Decrypt, &kms.DecryptInput{CiphertextBlob: secret})
	if !bytes.Equal(out.Plaintext, []byte("text")) {
		t.Errorf("after a restart decrypted to %q", out.Plaintext)
	}
	drain(t, consume(t, channel(t, s.Dial(s.Main()), false), "q", 100), 1, sent)
}
