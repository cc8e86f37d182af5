package iam

import (
	"fmt"
	"testing"
	"time"
)

// TestOneTimeCode holds the test vectors of RFC 6238, appendix B, whose codes have
// two digits more.
func TestOneTimeCode(t *testing.T) {
	t.Parallel()
	seed := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924",
		2000000000: "279037", 20000000000: "353130",
	} {
		if got := oneTimeCode(seed, stepOf(time.Unix(at, 0))); got != want {
			t.Errorf("%d: %s, want %s", at, got, want)
		}
	}
}

// TestFindCode: a code is right near its time and after the last one that was.
func TestFindCode(t *testing.T) {
	t.Parallel()
	seed := []byte("a seed of a device")
	const now = 1000
	code := func(step int64) string { return oneTimeCode(seed, step) }
	for _, c := range []struct {
		code, next string
		used       int64
		width      int
		want       int64 // 0 = none
	}{
		{code(now), "", 0, 1, now}, {code(now - 1), "", 0, 1, now - 1},
		{code(now + 1), "", 0, 1, now + 1},
		{code(now - 2), "", 0, 1, 0}, {code(now + 2), "", 0, 1, 0},
		{code(now), "", now, 1, 0}, {code(now - 1), "", now, 1, 0},
		{code(now + 1), "", now, 1, now + 1},
		{"", "", 0, 1, 0}, {"1234567", "", 0, 1, 0},
		{code(now), code(now + 1), 0, 1, now}, {code(now), code(now), 0, 1, 0},
		{code(now + 1), code(now), 0, 1, 0}, {code(now), code(now + 2), 0, 1, 0},
		{code(now + 100), code(now + 101), 0, 120, now + 100},
		{code(now + 121), code(now + 122), 0, 120, 0},
	} {
		step, ok := findCode(seed, c.code, c.next, now, c.used, c.width)
		if ok != (c.want != 0) || step != c.want {
			t.Errorf("%q, %q after %d: %d, %v; want %d", c.code, c.next, c.used, step, ok, c.want)
		}
	}
}

// FuzzFindCode: no text but the code of a step near by is right.
func FuzzFindCode(f *testing.F) {
	seed := []byte("a seed of a device")
	right := map[string]bool{}
	for step := int64(999); step <= 1001; step++ {
		right[oneTimeCode(seed, step)] = true
		f.Add(oneTimeCode(seed, step))
	}
	f.Add("")
	f.Add("00000a")
	f.Fuzz(func(t *testing.T, code string) {
		if _, ok := findCode(seed, code, "", 1000, 0, 1); ok != right[code] {
			t.Error(fmt.Sprintf("%q", code), ok)
		}
	})
}
