package node

import (
	"testing"

	"coffer/internal/fault"
)

func TestParseLowWater(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text    string
		bytes   uint64
		percent int
	}{
		{"", 0, 0}, {"1%", 0, 1}, {"25%", 0, 25}, {"4096", 4096, 0}, {"4096B", 4096, 0},
		{"2GiB", 2 << 30, 0}, {"2G", 2 << 30, 0}, {"2GB", 2e9, 0}, {"512 MiB", 512 << 20, 0},
		{"1TiB", 1 << 40, 0}, {"1024TiB", 1 << 50, 0},
	} {
		bytes, percent, err := parseLowWater(c.text)
		if bytes != c.bytes || percent != c.percent || err != nil {
			t.Errorf("%q: %d, %d %%, %v", c.text, bytes, percent, err)
		}
	}
	for _, text := range []string{"0", "0%", "26%", "-1%", "%", "GiB", "2 XiB", "1.5GiB", "-1",
		"1025TiB", "18446744073709551616", "99999999999TiB", "many"} {
		if bytes, percent, err := parseLowWater(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %d, %d %%, %v", text, bytes, percent, err)
		}
	}
}

func TestParseMaxMessage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"16MiB": 16 << 20, "128MiB": 128 << 20, "1": 1, "64 KiB": 64 << 10,
	} {
		if n, err := parseMaxMessage(text); n != want || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "0", "129MiB", "134217729", "-1", "half", "10%"} {
		if n, err := parseMaxMessage(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}
