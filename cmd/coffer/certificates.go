package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func certificatesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "certificates",
		Short: "List and renew the server's certificates; go over to another authority",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(
		listCertificates("list", "List the certificates of the process that serves",
			node.Certificates),
		listCertificates("renew", "Make new certificates now, or read their files again; "+
			"connections stay", node.RenewCertificates),
		rotateCommand())
	return c
}

func listCertificates(
	use, short string, ask func(context.Context, string) ([]node.CertificateInfo, error),
) *cobra.Command {
	var data, output string
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			list, err := ask(c.Context(), data)
			if err != nil {
				return err
			}
			return printCertificates(c.OutOrStdout(), output, list)
		},
	}
	c.Flags().StringVar(&data, "data", dataDefault(), "data directory")
	c.Flags().StringVar(&output, "output", "text", "text or json")
	return c
}

func printCertificates(w io.Writer, output string, list []node.CertificateInfo) error {
	if output == "json" {
		return printJSON(w, map[string]any{"certificates": list})
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "USE\tSUBJECT\tFROM\tUNTIL\tSHA-256\tNAMES")
	for _, c := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Use, line(c.Subject),
			c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339), c.SHA256[:16],
			line(strings.Join(c.Names, " ")))
	}
	return table.Flush()
}

func rotateCommand() *cobra.Command {
	var cfg node.Config
	c := &cobra.Command{
		Use:   "rotate-ca begin|switch|end",
		Short: "Go over to another certificate authority in three steps",
		Long: "Go over to another certificate authority in three steps, without a moment in\n" +
			"which a client is refused:\n\n" +
			"  begin   make the next one, and put it into ca.pem beside the present one;\n" +
			"          then give every client the new ca.pem\n" +
			"  switch  let the next one sign the server's certificates\n" +
			"  end     take the former one out of ca.pem, or, before switch, the next one\n\n" +
			"The process that serves the data directory is asked. Where none does, the step is\n" +
			"taken in the directory itself, which takes the root key.",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{node.AuthorityBegin, node.AuthoritySwitch, node.AuthorityEnd},
		RunE: func(c *cobra.Command, args []string) error {
			cfg.Version, cfg.Secrets = version(), secretReader()
			if err := node.RotateAuthority(c.Context(), cfg, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.ErrOrStderr(), map[string]string{
				node.AuthorityBegin:  "ca.pem has the next authority, too: give it to every client",
				node.AuthoritySwitch: "the next authority signs from now on",
				node.AuthorityEnd:    "ca.pem has one authority",
			}[args[0]])
			return err
		},
	}
	c.Flags().StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(c.Flags(), &cfg.RootKey, os.Getenv(variable("root-key")),
		"root key of a directory that nothing serves")
	return c
}
