package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func backupCommand() *cobra.Command {
	cfg := node.BackupConfig{Version: version()}
	var abort bool
	c := &cobra.Command{
		Use:   "backup --to DIRECTORY",
		Short: "Copy a data directory, also while it is served",
		Long: "Copy a data directory to another one, also while a process serves it: all\n" +
			"that was confirmed before the command began is in the copy. It is sealed as it\n" +
			"lies on the disk, and the root key is not in it. After an interruption the same\n" +
			"command goes on. `coffer restore` makes a data directory of it again.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if abort {
				return abortBackups(c, cfg)
			}
			if cfg.To == "" {
				return fault.New(fault.Invalid, "--to: name the directory of the backup")
			}
			cfg.Secrets = secretReader()
			r, err := node.Backup(c.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), r.Summary(cfg.To))
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	f.StringVar(&cfg.To, "to", "", "directory of the backup: missing, empty, or one to go on with")
	rootKeyFlag(f, &cfg.RootKey, "", "root key of a directory that nothing serves")
	f.BoolVar(&abort, "abort", false,
		"drop what backups hold in the data directory: that of --to, or all")
	return c
}

func abortBackups(c *cobra.Command, cfg node.BackupConfig) error {
	ids, err := node.AbortBackups(c.Context(), cfg)
	for _, id := range ids {
		if _, err := fmt.Fprintf(c.OutOrStdout(), "dropped backup %s\n", id); err != nil {
			return err
		}
	}
	return err
}
