package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write doc/operate/settings.md again")

const settingsPage = "../../doc/operate/settings.md"

// TestSettingsPage: the guide tells of every setting what the binary does.
func TestSettingsPage(t *testing.T) {
	t.Parallel()
	want := settingsText()
	if *update {
		if err := os.WriteFile(settingsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(settingsPage)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not as the flags are (%v): go test ./cmd/coffer -run SettingsPage -update",
			settingsPage, err)
	}
}

const settingsHead = `# Settings

Each is a flag of "coffer serve", a variable of the environment, or a line of the YAML file
that "--config" or "COFFER_CONFIG" names; a flag goes before a variable, that before the
file. A name that is unknown, in any of them, is an error. What can be a list is one in
YAML, or has commas. Changes take a restart.

| in YAML | variable | default | what it is |
| --- | --- | --- | --- |
`

func settingsText() []byte {
	text := []byte(strings.ReplaceAll(settingsHead, `"`, "`"))
	one := strings.NewReplacer("|", `\|`, "\n", " ", "<", `\<`)
	serveCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "config" {
			return
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" {
			value = "`" + f.DefValue + "`"
		}
		text = fmt.Appendf(text, "| `%s` | `%s` | %s | %s |\n", f.Name, variable(f.Name), value,
			one.Replace(f.Usage))
	})
	return text
}
