package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func auditExportCommand() *cobra.Command {
	var cfg node.ExportConfig
	var output string
	c := &cobra.Command{
		Use:   "export --to DIRECTORY",
		Short: "Write the audit trail as AWS CloudTrail delivers one",
		Long: "Write the audit trail to a directory as AWS CloudTrail writes one to S3: gzip\n" +
			"JSON files of events, and for each hour a signed digest, which names the hashes of\n" +
			"the hour's files and the digest before. Beside a digest lies a file with what S3\n" +
			"keeps as its metadata; in CloudTrail-Keys lies the public key. An hour that is not\n" +
			"over is left; the same command goes on where the last one ended.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", output)
			}
			list, err := node.ExportAudit(c.Context(), cfg)
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(list)
			}
			var text []byte
			for _, w := range list {
				text = fmt.Appendf(text, "account %s %s: %d events in %d files, %d digests, "+
					"from %s to %s; %d events of later hours are left\n", w.Account, w.Region,
					w.Events, w.Logs, w.Digests, w.From.Format(time.RFC3339),
					w.Until.Format(time.RFC3339), w.Left)
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	f := c.Flags()
	trailFlags(f, &cfg.AuditConfig)
	f.StringVar(&cfg.To, "to", "", "directory to write to, or to go on in")
	f.StringVar(&cfg.Bucket, "bucket", "coffer-audit", "bucket that digests name")
	f.StringVar(&cfg.From, "from", "", "first hour (RFC 3339, or a date)")
	f.StringVar(&cfg.Until, "until", "", "end of the last hour")
	f.StringVar(&cfg.Account, "account", "", "only this account")
	f.StringVar(&cfg.Region, "region", "", "only this Region")
	f.StringVar(&output, "output", "text", "text or json")
	return c
}
