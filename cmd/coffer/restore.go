package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func restoreCommand() *cobra.Command {
	var cfg node.RestoreConfig
	c := &cobra.Command{
		Use:   "restore --from BACKUP --data DIRECTORY",
		Short: "Make a data directory of a backup",
		Long: "Make a data directory of a backup: whole, or not at all. Every file is\n" +
			"checked. The new directory has an incarnation of its own, by which it is told\n" +
			"apart from the one that the backup was made of: do not let clients reach both.\n" +
			"It needs the root key that the backup was made under, which no backup holds.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if cfg.From == "" || cfg.Data == "" {
				return fault.New(fault.Invalid,
					"--from, --data: name the backup and the new directory")
			}
			cfg.Secrets = secretReader()
			b, err := node.Restore(c.Context(), cfg)
			if err != nil {
				return err
			}
			key := "<file with its root key>"
			if cfg.RootKey != "" {
				key = quote(cfg.RootKey)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "restored backup %s of %s in %s\n"+
				"start it with: coffer serve --data %s --root-key %s\n", b.ID,
				b.Created.Format(time.RFC3339), cfg.Data, quote(cfg.Data), key)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.From, "from", "", "directory of the backup")
	f.StringVar(&cfg.Data, "data", "", "new data directory: missing or empty")
	rootKeyFlag(f, &cfg.RootKey, "", "root key, to check before that it is the right one")
	return c
}
