package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func accountsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "accounts",
		Short: "Make and list accounts, replace lost keys of their root users",
		Long: "Make and list accounts and replace lost keys of their root users, by way of the\n" +
			"process that runs on a data directory and with the credentials that lie there;\n" +
			"where none runs, in the directory itself, which takes the root key.",
		Args: cobra.NoArgs,
	}
	c.AddCommand(accountsCreateCommand(), accountsNewKeyCommand(), accountsListCommand(),
		accountsRemoveMFACommand())
	return c
}

// accountFlags adds the flags that all commands about accounts have.
func accountFlags(c *cobra.Command, cfg *node.AccountConfig, output *string) {
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(f, &cfg.RootKey, os.Getenv(variable("root-key")),
		"root key of a directory that nothing serves")
	cfg.Secrets = secretReader()
	f.StringVar(output, "output", "text", "text or json")
}

func accountsCreateCommand() *cobra.Command {
	return newKeyCommand(&cobra.Command{
		Use:   "create --account NUMBER",
		Short: "Make an account and print the access key of its root user",
		Long: "Make an account and print the access key of its root user. The secret key is\n" +
			"shown this once. Nothing of an account is visible in another one.",
	}, &node.AccountConfig{}, node.CreateAccount)
}

func accountsNewKeyCommand() *cobra.Command {
	var cfg node.AccountConfig
	c := newKeyCommand(&cobra.Command{
		Use:   "new-key --account NUMBER",
		Short: "Make and print another access key of an account's root user",
		Long: "Make and print another access key of an account's root user, whose own are lost\n" +
			"or known to somebody else. The secret key is shown this once; that of the first\n" +
			"account also takes its place in the data directory; where that account lost its\n" +
			"own, stop the process first. The account has on record that a key was made.",
	}, &cfg, node.CreateRootKey)
	c.Flags().BoolVar(&cfg.Replace, "replace", false,
		"end the keys that the root user has, and the sessions made by them")
	return c
}

// newKeyCommand lets a command print the access key of a root user that do makes.
func newKeyCommand(c *cobra.Command, cfg *node.AccountConfig,
	do func(context.Context, node.AccountConfig) (*node.NewAccount, error),
) *cobra.Command {
	var output string
	accountFlags(c, cfg, &output)
	c.Flags().StringVar(&cfg.Account, "account", "", "number of the account, 12 digits")
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		if !isAccount(cfg.Account) {
			return fault.New(fault.Invalid, "--account: %q is not a number of 12 digits",
				cfg.Account)
		}
		cfg.Version, cfg.Secrets = version(), secretReader()
		a, err := do(c.Context(), *cfg)
		if err != nil {
			return err
		}
		if output == "json" {
			return printJSON(c.OutOrStdout(), a)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(),
			"account %s\naccess key id %s\nsecret access key %s\n",
			a.Account, a.AccessKeyID, a.SecretAccessKey)
		return err
	}
	return c
}

func accountsListCommand() *cobra.Command {
	var cfg node.AccountConfig
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			cfg.Version, cfg.Secrets = version(), secretReader()
			list, err := node.ListAccounts(c.Context(), cfg)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(c.OutOrStdout(), map[string]any{"Accounts": list})
			}
			for _, a := range list {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s created %s\n", a.Account,
					a.CreatedAt.UTC().Format(time.RFC3339))
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	accountFlags(c, &cfg, &output)
	return c
}

// checkOutput refuses what --output does not know, before anything is done.
func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return fault.New(fault.Invalid, "--output: %q is neither text nor json", output)
	}
	return nil
}

func isAccount(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 12
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
