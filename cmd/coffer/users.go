package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func usersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "users",
		Short: "Replace a lost password of a broker's user",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(resetPasswordCommand())
	return c
}

func resetPasswordCommand() *cobra.Command {
	var cfg node.Config
	in := node.PasswordReset{}
	var output string
	c := &cobra.Command{
		Use:   "reset-password",
		Short: "Give a user of a broker a new password and print it",
		Long: "Give a user of a broker a new password, made at random, and print it this once.\n" +
			"The old one lets nobody in any more. The process that serves the data directory is\n" +
			"asked, which takes no password; where none does, it is done in the directory\n" +
			"itself, which takes the root key. It is on the audit trail.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			cfg.Version, cfg.Secrets = version(), secretReader()
			p, err := node.ResetPassword(c.Context(), cfg, in)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(c.OutOrStdout(), p)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "broker %s\nuser %s\npassword %s\n", p.Broker,
				p.User, p.Password)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(f, &cfg.RootKey, os.Getenv(variable("root-key")),
		"root key of a directory that nothing serves")
	f.StringVar(&in.Broker, "broker", "", "id of the broker, b-… (default broker main)")
	f.StringVar(&in.User, "user", "admin", "name of the user")
	f.BoolVar(&in.Administrator, "administrator", false,
		"let the user do everything, and make it if it is not there")
	f.BoolVar(&in.Disconnect, "disconnect", false, "end the connections that the user has")
	f.BoolVar(&in.File, "env", false,
		"write the password of broker main's admin to main-admin, from which\n"+
			"`coffer env` has it (default: if that file is there)")
	f.StringVar(&output, "output", "text", "text or json")
	return c
}
