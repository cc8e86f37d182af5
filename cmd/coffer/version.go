package main

import (
	"crypto/fips140"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the binary",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "coffer %s %s %s/%s%s\n",
				version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, module())
			return err
		},
	}
}

// module tells that Go's FIPS 140-3 module does the cryptography, which one it is, and
// whether what is not approved is refused.
func module() string {
	switch {
	case fips140.Enforced():
		return " fips140=" + fips140.Version() + ",only"
	case fips140.Enabled():
		return " fips140=" + fips140.Version()
	}
	return ""
}

// version is the module's version, else the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return develVersion
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return develVersion + "-" + s.Value[:12]
		}
	}
	return develVersion
}
