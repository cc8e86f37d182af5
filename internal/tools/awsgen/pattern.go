package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// unit is an escape of Java's for one UTF-16 unit.
var unit = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})(?:\\u([0-9A-Fa-f]{4}))?`)

// translate turns Java's regular expression into Go's: \uD83D\uDE00 is one
// character there. It fails for what RE2 cannot express.
func translate(pattern string) (string, error) {
	out := unit.ReplaceAllStringFunc(pattern, func(m string) string {
		parts := unit.FindStringSubmatch(m)
		high := hex(parts[1])
		if parts[2] == "" {
			return braced(high)
		}
		if r := utf16.DecodeRune(high, hex(parts[2])); r != '\uFFFD' {
			return braced(r)
		}
		return braced(high) + braced(hex(parts[2]))
	})
	if _, err := regexp.Compile("^(?:" + out + ")$"); err != nil {
		return "", fmt.Errorf("pattern %s: %w", strings.TrimSpace(pattern), err)
	}
	return out, nil
}

func hex(s string) rune {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic(err) // the pattern above lets only digits through
	}
	return rune(n)
}

func braced(r rune) string { return fmt.Sprintf(`\x{%04X}`, r) }
