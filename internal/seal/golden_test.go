package seal

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// What earlier builds stored: it must open for ever.
const (
	goldenRecord = "" +
		"010101000000020000000300000000030000000000000000000000000000001204000000" +
		"0000000005000000000000000607b8ce5a08d68a1b729c3e3471d1bd0613c9b82e367c9a" +
		"6c0eaefeb5a4e1dc9359"
	goldenBox = "" +
		"010000000300000000f969ab1244f76187549fcac8050c11dd46ddf73035f9726698cee5" +
		"531dc5b0dd"
	goldenWrapped = "" +
		"01e4287cdc417fc3d8075b56bf8b2e900b17e4bf5319790c601ee7bbb11e3d93eeb99110" +
		"06467c6291369f637939587835917b"
	goldenCiphertext = "" +
		"434b4d530101010000000000000000000000000000000000000000000000000000000000" +
		"0000000000000000000000000000000000007e239d6a0ea0f461d442da3f3716a60aa806" +
		"f82370da2a031ad8aa544f6e65f4c0816f91a91fa6134a657cf4b271e2564ee2b41de111" +
		"08ccb72a71bb0a07bf193d634a023fe7c3064e09d992633f3e1f"
	goldenMAC = "" +
		"d7ff90bce1128b866ee5401466d1a9f9"
)

func golden(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenHeader is the clear part of goldenRecord.
func goldenHeader() Header {
	return Header{
		Flags: 1, DataKey: 2, Epoch: 3 << 32, ID: [16]byte{3}, Facts: Facts{4, 5, 6, 7},
	}
}

func TestFormatsStay(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 9)
	rec := golden(t, goldenRecord)
	if h, err := ParseRecord(rec); err != nil || h != goldenHeader() {
		t.Errorf("record header: %+v, %v", h, err)
	}
	out, err := e.OpenRecord(nil, rec, DomainID{1})
	if err != nil || string(out) != "text" {
		t.Errorf("record: %q, %v", out, err)
	}
	out, err = e.OpenBox(nil, []byte("key"), golden(t, goldenBox))
	if err != nil || string(out) != "text" {
		t.Errorf("box: %q, %v", out, err)
	}
	out, err = Unwrap(testSecret(1), "use", []byte("aad"), golden(t, goldenWrapped))
	if err != nil || !bytes.Equal(out, []byte("secret")) {
		t.Errorf("wrapped key: %v", err)
	}
	context := map[string]string{"name": "value"}
	out, err = Decrypt(testSecret(1), context, golden(t, goldenCiphertext))
	if err != nil || !bytes.Equal(out, []byte("text")) {
		t.Errorf("ciphertext: %v", err)
	}
	mac, err := MAC(testSecret(1), "label", "a", "bc")
	if err != nil || !bytes.Equal(mac, golden(t, goldenMAC)) {
		t.Errorf("mac: %x, %v", mac, err)
	}
}
