package rootkey

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"coffer/internal/seal"
)

// TestField: the examples of FIPS 197, sections 4.2 and 5.1.1, and the laws of a field.
func TestField(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]byte{{0x57, 0x83, 0xc1}, {0x57, 0x13, 0xfe}, {0x53, 0xca, 1}} {
		if got := mul(c[0], c[1]); got != c[2] {
			t.Errorf("{%x}·{%x} is {%x}, want {%x}", c[0], c[1], got, c[2])
		}
	}
	for a := range 256 {
		if a > 0 && mul(byte(a), inverse(byte(a))) != 1 {
			t.Errorf("{%x}: {%x} is no inverse", a, inverse(byte(a)))
		}
		for b := range 256 {
			if mul(byte(a), byte(b)) != mul(byte(b), byte(a)) {
				t.Fatalf("{%x}·{%x} depends on the order", a, b)
			}
		}
	}
}

// TestCombineVector is the test case of draft-mcgrew-tss-03, section 9.
func TestCombineVector(t *testing.T) {
	t.Parallel()
	var points []seal.Secret
	for _, digits := range []string{"b9fa07e185", "f5409b4511"} {
		p, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, p)
	}
	if got := combine([]byte{1, 2}, points); !bytes.Equal(got, []byte("test\x00")) {
		t.Errorf("the secret is %x", []byte(got))
	}
}

// TestSplit: any k points give the secret, whatever their order; fewer say nothing of it.
func TestSplit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 2 + random.IntN(20)
		k := 2 + random.IntN(n-1)
		secret := make(seal.Secret, 32)
		for i := range secret {
			secret[i] = byte(random.Uint32())
		}
		points := split(secret, n, k)
		order := random.Perm(n)
		for _, take := range []int{k, n, k - 1} {
			var xs []byte
			var some []seal.Secret
			for _, i := range order[:take] {
				xs, some = append(xs, byte(i+1)), append(some, points[i])
			}
			if got := combine(xs, some); bytes.Equal(got, secret) != (take >= k) {
				t.Fatalf("%d of %d points, %d needed: %v", take, n, k, take < k)
			}
		}
	}
}
