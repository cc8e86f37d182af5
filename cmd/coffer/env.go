package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func envCommand() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "env",
		Short: "Print shell exports for the AWS CLI, SDKs and RabbitMQ clients",
		Long: "Print `export NAME=value` lines for the process that runs on a data directory:\n" +
			`  eval "$(coffer env)"`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := node.Env(c.Context(), data)
			if err != nil {
				return err
			}
			for _, v := range list {
				_, err = fmt.Fprintf(c.OutOrStdout(), "export %s=%s\n", v.Name, quote(v.Value))
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", dataDefault(), "data directory")
	return c
}

// quote makes a value one word of a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
