package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/internal/node"
)

// errUnwell is the end of a question that was answered with no.
var errUnwell = errors.New("the process is not well")

func healthCommand() *cobra.Command {
	var data string
	var live bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the process that serves a data directory whether clients are served",
		Long: "Ask the process that serves a data directory whether clients are served. The\n" +
			"status is 0 when they are and 1 when not, also while shares of the root key are\n" +
			"waited for. It needs the data directory and no port, as probes of containers do.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := node.Health(c.Context(), data, live)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(c.OutOrStdout(), r.Text); err != nil {
				return err
			}
			if !r.Well {
				return fmt.Errorf("%s: %w", data, errUnwell)
			}
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", dataDefault(), "data directory")
	c.Flags().BoolVar(&live, "live", false, "ask only whether it can go on, which a process does\n"+
		"that waits for shares of its root key")
	return c
}
