package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func accountsRemoveMFACommand() *cobra.Command {
	var cfg node.AccountConfig
	var output string
	c := &cobra.Command{
		Use:   "remove-mfa --account NUMBER",
		Short: "Take the MFA devices from an account's root user, who lost them",
		Long: "Take the MFA devices from an account's root user, who lost them. The account has\n" +
			"it on record. Sessions that were begun with a code last until they end; end them\n" +
			"by replacing the root user's keys.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if !isAccount(cfg.Account) {
				return fault.New(fault.Invalid, "--account: %q is not a number of 12 digits",
					cfg.Account)
			}
			cfg.Version, cfg.Secrets = version(), secretReader()
			removed, err := node.RemoveRootMFA(c.Context(), cfg)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(c.OutOrStdout(), removed)
			}
			for _, serial := range removed.SerialNumbers {
				if _, err := fmt.Fprintln(c.OutOrStdout(), "removed", serial); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d devices of the root user of account %s\n",
				len(removed.SerialNumbers), removed.Account)
			return err
		},
	}
	accountFlags(c, &cfg, &output)
	c.Flags().StringVar(&cfg.Account, "account", "", "number of the account, 12 digits")
	return c
}
