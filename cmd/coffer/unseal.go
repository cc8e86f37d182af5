package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coffer/internal/node"
	"coffer/internal/rootkey"
)

func unsealCommand() *cobra.Command {
	var data, from string
	c := &cobra.Command{
		Use:   "unseal",
		Short: "Give one share of the root key to the process that waits for it",
		Long: "Give one share of the root key to the process that waits for it. The share is\n" +
			"asked for on the terminal, or read from a file, a descriptor or a credential; it\n" +
			"is never an argument. When there are enough the process starts.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := rootkey.Source{Kind: rootkey.Shares, Place: rootkey.Prompt}
			if from != "" {
				var err error
				if s, err = rootkey.ParseSource(from); err != nil {
					return err
				}
			}
			reader := secretReader()
			share, err := reader.Share(c.Context(), s)
			if err != nil {
				return err
			}
			defer share.Wipe()
			status, err := node.Unseal(c.Context(), data, share)
			if err != nil {
				return err
			}
			return printUnsealed(c.OutOrStdout(), status)
		},
	}
	c.Flags().StringVar(&data, "data", dataDefault(), "data directory")
	c.Flags().StringVar(&from, "share", "",
		"where the share is read from: a file, fd:NUMBER or\n"+
			"credential:NAME (default: the terminal)")
	return c
}

func printUnsealed(w io.Writer, s *node.RootStatus) error {
	text := fmt.Sprintf("sealed: %d of %d shares were given\n", s.Given, s.Needed)
	if s.Given == s.Needed {
		text = "unsealed: the process starts\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
