package main

import (
	"crypto/fips140"
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"
)

const (
	// develVersion is the version of a build that knows no other.
	develVersion = "devel"
	// shortName is how much of a commit's name is in a version.
	shortName = 12
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the binary",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "coffer %s %s %s/%s%s\n",
				version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, fipsModule())
			return err
		},
	}
}

// fipsModule tells that Go's FIPS 140-3 module does the cryptography, which one it is, and
// whether what is not approved is refused.
func fipsModule() string {
	switch {
	case fips140.Enforced():
		return " fips140=" + fips140.Version() + ",only"
	case fips140.Enabled():
		return " fips140=" + fips140.Version()
	}
	return ""
}

// exported is the version that was written when the sources left git: by git archive, or
// by who built an image. Elsewhere it is a format of git's that was not filled.
//
//go:embed VERSION
var exported string

// version is what the sources say, else the module's version, which git told the builder.
func version() string {
	if v := exportedVersion(exported); v != "" {
		return v
	}
	info, ok := debug.ReadBuildInfo()
	if v := info.Main.Version; ok && v != "" && v != "(devel)" {
		return v
	}
	return develVersion
}

// exportedVersion reads a version, or of a commit "tag seconds name", where there may be
// no tag; "": neither.
func exportedVersion(text string) string {
	words := strings.Fields(text)
	switch n := len(words); {
	case n == 0 || strings.HasPrefix(words[0], "$"):
		return ""
	case n == 3 && strings.HasPrefix(words[0], "%"): // git before 2.35 describes nothing
		words = words[1:]
	case n != 2:
		return words[0]
	}
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || len(words[1]) < shortName {
		return ""
	}
	return module.PseudoVersion("v0", "", time.Unix(seconds, 0), words[1][:shortName])
}
