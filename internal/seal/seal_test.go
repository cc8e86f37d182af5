package seal

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func testSecret(fill byte) Secret { return Secret(bytes.Repeat([]byte{fill}, KeySize)) }

func testEpochs(t testing.TB, fill byte, start uint32) *Epochs {
	t.Helper()
	e, err := NewEpochs(testSecret(fill), "test", start)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// closed reports an error unless err is one of those with which a value that
// was not sealed for its place is refused.
func closed(t *testing.T, what string, out []byte, err error) {
	t.Helper()
	if !errors.Is(err, ErrOpen) && !errors.Is(err, ErrFormat) {
		t.Errorf("%s: error %v, want ErrOpen or ErrFormat", what, err)
	}
	if len(out) != 0 {
		t.Errorf("%s: gave %d bytes with an error", what, len(out))
	}
}

// everyChange calls open with each byte of sealed changed in three ways, every
// shorter form, and longer ones.
func everyChange(t *testing.T, sealed []byte, open func([]byte) ([]byte, error)) {
	t.Helper()
	if _, err := open(sealed); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for i := range sealed {
		for _, x := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(sealed)
			bad[i] ^= x
			out, err := open(bad)
			closed(t, fmt.Sprintf("byte %d xor %#x", i, x), out, err)
		}
		out, err := open(sealed[:i:i])
		closed(t, fmt.Sprintf("first %d bytes", i), out, err)
		out, err = open(sealed[i+1:])
		closed(t, fmt.Sprintf("without %d bytes", i+1), out, err)
	}
	for _, more := range [][]byte{{0}, {0xff}, sealed} {
		out, err := open(append(bytes.Clone(sealed), more...))
		closed(t, fmt.Sprintf("%d bytes longer", len(more)), out, err)
	}
}

func TestEveryByteIsAuthenticated(t *testing.T) {
	t.Parallel()
	e := testEpochs(t, 1, 7)
	for _, text := range []string{"", "a", "a message of some length"} {
		t.Run("record", func(t *testing.T) {
			h := Header{Flags: 3, DataKey: 9, ID: [16]byte{1, 2}, Facts: Facts{4, 5, 6, 7}}
			rec, err := e.SealRecord(nil, h, DomainID{1}, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			everyChange(t, rec, func(b []byte) ([]byte, error) {
				return e.OpenRecord(nil, b, DomainID{1})
			})
		})
		t.Run("box", func(t *testing.T) {
			box, err := e.SealBox(nil, []byte("key"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			everyChange(t, box, func(b []byte) ([]byte, error) {
				return e.OpenBox(nil, []byte("key"), b)
			})
		})
		t.Run("wrapped", func(t *testing.T) {
			w, err := Wrap(testSecret(1), "use", []byte("aad"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			everyChange(t, w, func(b []byte) ([]byte, error) {
				return Unwrap(testSecret(1), "use", []byte("aad"), b)
			})
		})
		t.Run("ciphertext", func(t *testing.T) {
			context := map[string]string{"aws:ebs:id": "vol-1"}
			ct, err := Encrypt(testSecret(1), KeyRef{Key: [16]byte{5}}, context, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			everyChange(t, ct, func(b []byte) ([]byte, error) {
				return Decrypt(testSecret(1), context, b)
			})
		})
	}
}

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	s := Secret("ABCDEFGHABCDEFGHABCDEFGHABCDEFGH")
	type holder struct {
		Key  Secret            `xml:"key"`
		List []Secret          `xml:"list"`
		Map  map[string]Secret `xml:"-"`
	}
	h := holder{s, []Secret{s}, map[string]Secret{"k": s}}
	var out []string
	for _, verb := range strings.Split("v +v #v s q x X d b o O c U t e", " ") {
		out = append(out, fmt.Sprintf("%"+verb, s), fmt.Sprintf("%"+verb, h),
			fmt.Sprintf("% "+verb, s))
	}
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	type element struct {
		Key Secret `xml:"key,attr"`
	}
	x, err := xml.Marshal(element{s})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{
		slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil),
	} {
		slog.New(handler).Info("secret", "key", s, "holder", h, slog.Any("list", []any{s}))
	}
	for _, o := range append(out, string(j), string(x), log.String(), s.String()) {
		for _, leak := range []string{"ABCD", "41424344", "65 66", "QUJD", "65, 66", "101 102",
			"1000001", "0x41", "U+0041", "'A'"} {
			if strings.Contains(strings.ToUpper(o), strings.ToUpper(leak)) {
				t.Errorf("shows %q: %s", leak, o)
			}
		}
	}
	s.Wipe()
	if !bytes.Equal(s, make([]byte, KeySize)) {
		t.Error("Wipe left bytes")
	}
}

func TestShortSecrets(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, KeySize - 1} {
		short := make([]byte, n)
		if _, err := NewEpochs(short, "", 1); err == nil {
			t.Errorf("NewEpochs took %d bytes", n)
		}
		if _, err := Wrap(short, "", nil, nil); err == nil {
			t.Errorf("Wrap took %d bytes", n)
		}
		if _, err := Encrypt(short, KeyRef{}, nil, []byte{1}); err == nil {
			t.Errorf("Encrypt took %d bytes", n)
		}
		if _, err := MAC(short, ""); err == nil {
			t.Errorf("MAC took %d bytes", n)
		}
	}
}

func TestMAC(t *testing.T) {
	t.Parallel()
	digest := func(fill byte, label string, parts ...string) string {
		m, err := MAC(testSecret(fill), label, parts...)
		if err != nil || len(m) != MACSize {
			t.Fatalf("MAC: %d bytes, %v", len(m), err)
		}
		return string(m)
	}
	seen := map[string]string{}
	for name, m := range map[string]string{
		"plain": digest(1, "l", "ab", "c"), "other split": digest(1, "l", "a", "bc"),
		"one part": digest(1, "l", "abc"), "label": digest(1, "la", "b", "c"),
		"secret": digest(2, "l", "ab", "c"), "none": digest(1, "l"), "empty": digest(1, "l", ""),
		"length in text": digest(1, "l", "ab\x00\x00\x00\x01c"),
	} {
		if other, ok := seen[m]; ok {
			t.Errorf("%s and %s give one digest", name, other)
		}
		seen[m] = name
	}
	k, err := NewMACKey(testSecret(1), "l")
	if err != nil {
		t.Fatal(err)
	}
	a, b := k.Sum("ab", "c"), k.Sum("x")
	if string(a) != digest(1, "l", "ab", "c") || bytes.Equal(a, b) {
		t.Error("a kept key gives another digest than a new one")
	}
}

// TestFIPS runs this package's tests again where the runtime refuses whatever
// is not approved.
func TestFIPS(t *testing.T) {
	t.Parallel()
	const again = "COFFER_SEAL_FIPS"
	if os.Getenv(again) != "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test")
	cmd.Env = append(os.Environ(), again+"=1", "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("under fips140=only: %v\n%s", err, out)
	}
}
