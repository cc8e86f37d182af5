package audit

import (
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/store"
)

func sampleHead() *head {
	return &head{
		StoreID: StoreID{ID{1}, ID{2}}, time: time.Unix(1_700_000_000, 5).UTC(),
		trees: []treeHead{{0, 3, tlog.Hash{4}}, {9, 1 << 40, tlog.Hash{5}}},
		forks: []Fork{
			{ID{6}, "0123456789abcdef", time.Unix(1_600_000_000, 0).UTC(),
				map[store.ShardID]uint64{0: 2, 9: 7}},
			{ID{7}, "", time.Unix(1_650_000_000, 0).UTC(), map[store.ShardID]uint64{}},
		},
	}
}

func testSigner(t testing.TB, name string) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestHead(t *testing.T) {
	t.Parallel()
	s, v := testSigner(t, "coffer-audit/1")
	h := sampleHead()
	msg, err := h.sign(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openHead(msg, v)
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%+v, %v; want %+v", got, err, h)
	}
	other, stranger := testSigner(t, "coffer-audit/2")
	if _, err := openHead(msg, stranger); !errors.Is(err, errStranger) {
		t.Errorf("another store's key: %v", err)
	}
	bad := strings.Replace(string(msg), "tree 0 3", "tree 0 4", 1)
	if _, err := openHead([]byte(bad), v); !errors.Is(err, errSignature) {
		t.Errorf("rewritten: %v", err)
	}
	both, err := note.Sign(&note.Note{Text: h.encode()}, s, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openHead(both, v); !errors.Is(err, errHead) {
		t.Errorf("two signatures: %v", err)
	}
	strange, err := note.Sign(&note.Note{Text: "hello\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, msg := range [][]byte{nil, strange, msg[:len(msg)/2], []byte(h.encode())} {
		if _, err := openHead(msg, v); !errors.Is(err, errHead) {
			t.Errorf("%.20q: %v", msg, err)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add(sampleHead().encode())
	f.Add((&head{}).encode())
	f.Add(headPreamble + "\nstore \nincarnation \ntime \n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHead(text)
		if err == nil && h.encode() != text {
			t.Errorf("%q comes back as %q", text, h.encode())
		}
	})
}
