package main

import (
	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func explainCommand() *cobra.Command {
	r := node.ExplainRequest{}
	c := &cobra.Command{
		Use:   "explain REQUEST-ID",
		Short: "Say which statement decided a request, or what was missing",
		Long: "Say how a request to the APIs was decided: which statement or grant allowed or\n" +
			"denied it, or what was missing, with the statement to add and the policy to add\n" +
			"it to. Clients are told the id of a request in the answer's header\n" +
			"x-amzn-RequestId, SDKs show it with every error, and events have it as requestID.\n" +
			"The process that runs on the data directory is asked, with the credentials there.",
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&r.Data, "data", dataDefault(), "data directory")
	f.StringVar(&r.Account, "account", "", "account of the caller (default the first)")
	f.StringVar(&r.Region, "region", "", "Region of the request (default us-east-1)")
	format := f.String("output", "text", "text or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*format); err != nil {
			return err
		}
		r.ID = args[0]
		report, err := node.Explain(c.Context(), r)
		if err != nil {
			return err
		}
		return show(c, report, *format)
	}
	return c
}
