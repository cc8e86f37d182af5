package kit

import (
	"strings"
	"testing"
)

// Exports reads `export NAME=value` lines as a shell would: a value is plain,
// or stands in single quotes.
func Exports(t testing.TB, text string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for line := range strings.Lines(text) {
		assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		name, value, eq := strings.Cut(assignment, "=")
		if !ok || !eq {
			t.Fatalf("not an export: %q", line)
		}
		if strings.HasPrefix(value, "'") {
			value = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
		}
		m[name] = value
	}
	return m
}
