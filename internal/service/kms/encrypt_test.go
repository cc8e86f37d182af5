package kms

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	api "coffer/internal/aws/api/kms"
	"coffer/internal/seal"
)

// TestPlaintextSize: KMS-04.
func TestPlaintextSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var out struct{ CiphertextBlob []byte }
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": make([]byte, 4096)}, &out)
	if n := len(out.CiphertextBlob); n > 6144 {
		t.Errorf("ciphertext of %d bytes, the model's bound is 6144", n)
	}
	in := fmt.Sprintf(`{"KeyId":%q,"Plaintext":%q}`, name,
		base64.StdEncoding.EncodeToString(make([]byte, 4097)))
	want := "400 ValidationException: 1 validation error detected: Value at 'plaintext' failed " +
		"to satisfy constraint: Member must have length less than or equal to 4096"
	if got := w.do("root", "Encrypt", in); got != want {
		t.Errorf("4097 bytes: %s", got)
	}
}

// TestDataKey: KMS-06, KMS-07, KMS-08: a data key is made anew for every call,
// and what was encrypted under it locally opens after Decrypt gave it back.
func TestDataKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	in := object{"KeyId": name, "KeySpec": "AES_256", "EncryptionContext": object{"for": "a file"}}
	var a, b struct{ Plaintext, CiphertextBlob []byte }
	w.must("root", "GenerateDataKey", in, &a)
	w.must("root", "GenerateDataKey", in, &b)
	if bytes.Equal(a.Plaintext, b.Plaintext) || bytes.Equal(a.CiphertextBlob, b.CiphertextBlob) {
		t.Error("two data keys are the same")
	}
	if len(a.Plaintext) != 32 || bytes.Contains(a.CiphertextBlob, a.Plaintext) {
		t.Errorf("data key of %d bytes, or in clear in its ciphertext", len(a.Plaintext))
	}
	file, err := seal.Wrap(a.Plaintext, "file", nil, []byte("the text"))
	if err != nil {
		t.Fatal(err)
	}
	var again struct{ Plaintext []byte }
	w.must("root", "Decrypt", object{
		"CiphertextBlob": a.CiphertextBlob, "EncryptionContext": object{"for": "a file"},
	}, &again)
	text, err := seal.Unwrap(again.Plaintext, "file", nil, file)
	if err != nil || string(text) != "the text" {
		t.Errorf("opened %q: %v", string(text), err)
	}
	for spec, n := range map[string]int{`"KeySpec":"AES_128"`: 16, `"NumberOfBytes":77`: 77} {
		var out struct{ Plaintext, CiphertextBlob []byte }
		in := jsonOf(t, `{"KeyId":"`+name+`",`+spec+`}`)
		w.must("root", "GenerateDataKeyWithoutPlaintext", in, &out)
		if out.Plaintext != nil {
			t.Errorf("%s: plaintext given", spec)
		}
		w.must("root", "Decrypt", object{"CiphertextBlob": out.CiphertextBlob}, &out)
		if len(out.Plaintext) != n {
			t.Errorf("%s: %d bytes", spec, len(out.Plaintext))
		}
	}
}

// TestAlteredCiphertext flips every byte of a ciphertext in turn.
func TestAlteredCiphertext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var out struct{ CiphertextBlob []byte }
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": []byte("attack at dawn")}, &out)
	for i := range out.CiphertextBlob {
		altered := bytes.Clone(out.CiphertextBlob)
		altered[i] ^= 1
		got := w.do("root", "Decrypt", fmt.Sprintf(`{"CiphertextBlob":%q}`,
			base64.StdEncoding.EncodeToString(altered)))
		want := "400 InvalidCiphertextException"
		if i >= 6 && i < 22 { // the key's id
			want = "400 AccessDeniedException"
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("byte %d: %s", i, got)
		}
	}
}

// TestGatedSeparately: KMS-22: permission for one operation is none for another.
func TestGatedSeparately(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var out struct{ CiphertextBlob string }
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": "aGk="}, &out)
	requests := map[string]string{
		"Encrypt":                         `{"KeyId":"%k","Plaintext":"aGk="}`,
		"Decrypt":                         `{"CiphertextBlob":"%c"}`,
		"GenerateDataKey":                 `{"KeyId":"%k","KeySpec":"AES_256"}`,
		"GenerateDataKeyWithoutPlaintext": `{"KeyId":"%k","KeySpec":"AES_256"}`,
		"ReEncrypt":                       `{"CiphertextBlob":"%c","DestinationKeyId":"%k"}`,
	}
	fill := strings.NewReplacer("%k", name, "%c", out.CiphertextBlob)
	for granted := range requests {
		actions := `"kms:` + granted + `"`
		if granted == "ReEncrypt" {
			actions = `"kms:ReEncryptFrom","kms:ReEncryptTo"`
		}
		w.people["eve"] = person(t, user(home, "eve"), `{"Version":"2012-10-17","Statement":`+
			`[{"Effect":"Allow","Action":[`+actions+`],"Resource":"`+name+`"}]}`)
		for op, in := range requests {
			want := "400 AccessDeniedException"
			if op == granted {
				want = "200"
			}
			if got := w.do("eve", op, fill.Replace(in)); !strings.HasPrefix(got, want) {
				t.Errorf("with %s: %s: %s", actions, op, got)
			}
		}
	}
}

// TestPrepareForNobody: who may not make keys does not have one made, nor waits for others.
func TestPrepareForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.svc.making <- struct{}{} // nobody else makes a key pair now
	in := object{"KeySpec": "RSA_4096", "KeyUsage": "ENCRYPT_DECRYPT"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.refused("dave", "CreateKey", in, "AccessDeniedException: ")
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a key pair is made for who may not have one")
	}
	<-w.svc.making
	w.must("root", "CreateKey", object{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, nil)
}

// TestPrepare: an asymmetric key is made before the unit of work, one at a time.
func TestPrepare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Service{making: make(chan struct{}, 1)}
		in := &api.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: usageSign}
		ctx, err := s.Prepare(t.Context(), nil, in)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := ctx.Value(preparedKey{}).(*prepared); !ok || p.spec != in.KeySpec {
			t.Errorf("nothing was prepared for %s", in.KeySpec)
		}
		for _, in := range []any{
			&api.CreateKeyInput{}, &api.EncryptInput{},
			&api.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: usageMAC},
			&api.CreateKeyInput{KeySpec: "RSA_2048", KeyUsage: usageMAC},
		} {
			ctx, err := s.Prepare(t.Context(), nil, in)
			if err != nil || ctx.Value(preparedKey{}) != nil {
				t.Errorf("%+v: prepared, or %v", in, err)
			}
		}
		s.making <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := s.Prepare(ctx, nil, in)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("a second key was made beside the first")
		}
	})
}

// FuzzDecryptBlob: no ciphertext of a stranger's making opens or breaks.
func FuzzDecryptBlob(f *testing.F) {
	w := newWorld(f)
	name := w.key("root", object{})
	var out struct{ CiphertextBlob []byte }
	w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": []byte("seed")}, &out)
	f.Add(out.CiphertextBlob)
	f.Add(out.CiphertextBlob[:len(out.CiphertextBlob)-1])
	f.Add([]byte("CKMS"))
	f.Add([]byte{})
	client := w.client("")
	w.must("root", "CreateGrant", object{
		"KeyId": name, "GranteePrincipal": "mq.amazonaws.com", "Operations": []string{"Decrypt"},
	}, nil)
	f.Fuzz(func(t *testing.T, blob []byte) {
		got, err := client.Decrypt(context.Background(), &api.DecryptInput{CiphertextBlob: blob})
		if err == nil && !bytes.Equal(blob, out.CiphertextBlob) {
			t.Fatalf("opened to %q", got.Plaintext)
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	client, name := benchmark(b)
	in := &api.EncryptInput{KeyId: name, Plaintext: make([]byte, 256)}
	for b.Loop() {
		if _, err := client.Encrypt(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	client, name := benchmark(b)
	got, err := client.Encrypt(b.Context(), &api.EncryptInput{
		KeyId: name, Plaintext: make([]byte, 256),
	})
	if err != nil {
		b.Fatal(err)
	}
	in := &api.DecryptInput{CiphertextBlob: got.CiphertextBlob}
	for b.Loop() {
		if _, err := client.Decrypt(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerateDataKey(b *testing.B) {
	client, name := benchmark(b)
	in := &api.GenerateDataKeyInput{KeyId: name, KeySpec: "AES_256"}
	for b.Loop() {
		if _, err := client.GenerateDataKey(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmark gives a client that calls as mq.amazonaws.com through the whole
// gateway, the durable event of the read included, and a key it may use.
func benchmark(b *testing.B) (api.Client, string) {
	w := newWorld(b)
	name, err := w.svc.EnsureOwned(b.Context(), "mq", here)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return w.client(""), name
}
