package seal

import (
	"bytes"
	"errors"
	"testing"
)

// refused is what every opener must say of bytes it did not make.
func refused(err error) bool { return errors.Is(err, ErrOpen) || errors.Is(err, ErrFormat) }

func FuzzOpenRecord(f *testing.F) {
	e := testEpochs(f, 1, 3)
	good := golden(f, goldenRecord)
	f.Add(good)
	f.Add(good[:recordHeader])
	f.Add([]byte{})
	f.Add(make([]byte, RecordOverhead))
	f.Fuzz(func(t *testing.T, rec []byte) {
		before := bytes.Clone(rec)
		got, perr := ParseRecord(rec)
		out, err := e.OpenRecord(nil, rec, DomainID{1})
		switch {
		case !bytes.Equal(rec, before):
			t.Error("the record was changed")
		case bytes.Equal(rec, good):
			if perr != nil || err != nil || got != goldenHeader() || string(out) != "text" {
				t.Errorf("the good record: %v, %v, %v, %q", perr, err, got, out)
			}
		case !refused(err) || len(out) > 0:
			t.Errorf("opened %x: %q, %v", rec, out, err)
		case perr != nil && !errors.Is(perr, ErrFormat):
			t.Errorf("parse: %v", perr)
		}
	})
}

func FuzzOpenBox(f *testing.F) {
	e := testEpochs(f, 1, 3)
	good := golden(f, goldenBox)
	f.Add([]byte("key"), good)
	f.Add([]byte("kez"), good)
	f.Add([]byte{}, good[:BoxOverhead])
	f.Fuzz(func(t *testing.T, aad, box []byte) {
		out, err := e.OpenBox(nil, aad, box)
		if bytes.Equal(box, good) && string(aad) == "key" {
			if err != nil || string(out) != "text" {
				t.Errorf("the good box: %q, %v", out, err)
			}
		} else if !refused(err) || len(out) > 0 {
			t.Errorf("opened %x at %x: %q, %v", box, aad, out, err)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	good := golden(f, goldenWrapped)
	f.Add("use", []byte("aad"), good)
	f.Add("", []byte{}, good[:wrapHeader+Overhead])
	f.Fuzz(func(t *testing.T, purpose string, aad, wrapped []byte) {
		out, err := Unwrap(testSecret(1), purpose, aad, wrapped)
		if bytes.Equal(wrapped, good) && purpose == "use" && string(aad) == "aad" {
			if err != nil || !bytes.Equal(out, []byte("secret")) {
				t.Errorf("the good key: %v", err)
			}
		} else if !refused(err) || len(out) > 0 {
			t.Errorf("opened %x for %q, %x: %v", wrapped, purpose, aad, err)
		}
	})
}

func FuzzDecrypt(f *testing.F) {
	good := golden(f, goldenCiphertext)
	f.Add("name", "value", good)
	f.Add("", "", good[:CiphertextOverhead])
	f.Add("nam", "evalue", good)
	f.Fuzz(func(t *testing.T, name, value string, ct []byte) {
		_, perr := ParseCiphertext(ct)
		out, err := Decrypt(testSecret(1), map[string]string{name: value}, ct)
		switch {
		case bytes.Equal(ct, good) && name == "name" && value == "value":
			if err != nil || !bytes.Equal(out, []byte("text")) {
				t.Errorf("the good ciphertext: %v", err)
			}
		case !refused(err) || len(out) > 0:
			t.Errorf("opened %x with %q=%q: %v", ct, name, value, err)
		case (perr == nil) != errors.Is(err, ErrOpen):
			t.Errorf("parse says %v, decrypt %v", perr, err)
		}
	})
}
