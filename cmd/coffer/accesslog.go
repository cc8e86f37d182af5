package main

import (
	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func auditAccessLogCommand() *cobra.Command {
	var cfg node.AccessLogConfig
	c := &cobra.Command{
		Use:   "access-log",
		Short: "Print the access log of queues of SQS, as S3 writes one",
		Long: "Print a line for each message that was sent to a queue of SQS, received or\n" +
			"deleted, and for each other request about one, with the fields of S3's server\n" +
			"access log. It is taken from the audit trail, where requests about messages are\n" +
			"when an event data store selects AWS::SQS::Queue. What a client chose is escaped\n" +
			"as in a URL; nothing of a message is shown but its id and its size.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return node.AccessLog(c.Context(), c.OutOrStdout(), cfg)
		},
	}
	f := c.Flags()
	trailFlags(f, &cfg.AuditConfig)
	f.StringVar(&cfg.Queue, "queue", "", "only the queue of this name or ARN")
	f.StringVar(&cfg.From, "from", "", "first moment (RFC 3339, or a date)")
	f.StringVar(&cfg.Until, "until", "", "end, which is not included")
	f.StringVar(&cfg.Account, "account", "", "only queues of this account")
	f.StringVar(&cfg.Region, "region", "", "only queues in this Region")
	return c
}
