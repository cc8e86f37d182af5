package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

func keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Show what uses keys; suspend and resume grants; give brokers and queues others",
		Long: "Show what uses keys, suspend and resume grants and give brokers and queues other\n" +
			"keys, by way of the process that runs on a data directory and with the credentials\n" +
			"that lie there.",
		Args: cobra.NoArgs,
	}
	c.AddCommand(keysUsageCommand(), keysListCommand(), keysRekeyCommand(),
		keysRekeyQueueCommand(),
		grantCommand("suspend-grant KEY GRANT", "Keep a grant from allowing anything until it is "+
			"resumed", "suspended", node.SuspendGrant),
		grantCommand("resume-grant KEY GRANT", "End the suspension of a grant", "resumed",
			node.ResumeGrant))
	return c
}

// output adds the flags that all commands about keys have.
func output(c *cobra.Command, r *node.KeyRequest) (format *string) {
	f := c.Flags()
	f.StringVar(&r.Data, "data", dataDefault(), "data directory")
	f.StringVar(&r.Region, "region", "", "Region of the key (default that of its ARN)")
	return f.String("output", "text", "text or json")
}

// show prints a report as it is asked for.
func show(c *cobra.Command, report *node.KeyReport, format string) error {
	text := []byte(report.Text)
	if format == "json" {
		text = report.JSON
	}
	_, err := c.OutOrStdout().Write(text)
	return err
}

func keysUsageCommand() *cobra.Command {
	r := node.KeyRequest{}
	c := &cobra.Command{
		Use:   "usage KEY",
		Short: "Show what uses a key, before it is deleted",
		Long: "Show what uses a key: the brokers sealed under it, its grants and aliases, and\n" +
			"who used it last and what for. KEY is an id, an ARN or an alias. What is sealed\n" +
			"under a key is lost when the key is deleted.",
		Args: cobra.ExactArgs(1),
	}
	format := output(c, &r)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*format); err != nil {
			return err
		}
		r.Key = args[0]
		report, err := node.KeyUsage(c.Context(), r)
		if err != nil {
			return err
		}
		return show(c, report, *format)
	}
	return c
}

func keysListCommand() *cobra.Command {
	r := node.KeyRequest{}
	var owned bool
	c := &cobra.Command{
		Use:   "list --owned",
		Short: "Show the keys that AWS owns and what they are used for",
		Long: "Show the keys that AWS owns, of which services make use for your account where\n" +
			"no other key is named, and what for. `aws kms list-keys` lists your own.",
		Args: cobra.NoArgs,
	}
	format := output(c, &r)
	c.Flags().BoolVar(&owned, "owned", false, "the keys that AWS owns")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(*format); err != nil {
			return err
		}
		if !owned {
			return fault.New(fault.Invalid, "--owned: say which keys; `aws kms list-keys` lists "+
				"your own")
		}
		report, err := node.OwnedKeys(c.Context(), r)
		if err != nil {
			return err
		}
		return show(c, report, *format)
	}
	return c
}

func keysRekeyCommand() *cobra.Command {
	r := node.KeyRequest{}
	var managed bool
	c := &cobra.Command{
		Use:   "rekey BROKER --key KEY | --managed | --owned",
		Short: "Let a broker rest on another key, while it serves",
		Long: "Let a broker (b-…) rest on another key, while it serves: no message is touched\n" +
			"or lost. The key that it has must be usable once more; enable it first, or cancel\n" +
			"its deletion.",
		Args: cobra.ExactArgs(1),
	}
	format := output(c, &r)
	f := c.Flags()
	f.StringVar(&r.Key, "key", "", "id, ARN or alias of a key of the account")
	f.BoolVar(&managed, "managed", false, "the key that AWS manages for the account, alias/aws/mq")
	f.BoolVar(&r.Owned, "owned", false, "the key that AWS owns, which needs no permission")
	c.MarkFlagsOneRequired("key", "managed", "owned")
	c.MarkFlagsMutuallyExclusive("key", "managed", "owned")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*format); err != nil {
			return err
		}
		if r.Broker = args[0]; r.Key == "" && !r.Owned && !managed {
			return fault.New(fault.Invalid, "--key: it is empty")
		}
		report, err := node.RekeyBroker(c.Context(), r)
		if err != nil {
			return err
		}
		return show(c, report, *format)
	}
	return c
}

func keysRekeyQueueCommand() *cobra.Command {
	r := node.KeyRequest{}
	c := &cobra.Command{
		Use:   "rekey-queue QUEUE [--key KEY]",
		Short: "Let what was sent to an SQS queue rest on another key, while it works",
		Long: "Let what was sent to an SQS queue, by its name, rest on the key that the queue\n" +
			"has now, or on another one: also dead letters, wherever they are, and of a queue\n" +
			"that was deleted. No message is touched. The former keys must be usable once more;\n" +
			"then they can be disabled and deleted, if `coffer keys usage KEY` shows no use.",
		Args: cobra.ExactArgs(1),
	}
	format := output(c, &r)
	c.Flags().StringVar(&r.Key, "key", "",
		"id, ARN or alias of a key (default the one that the queue has)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*format); err != nil {
			return err
		}
		r.Queue = args[0]
		report, err := node.RekeyQueue(c.Context(), r, func(done, left int) {
			fmt.Fprintf(c.ErrOrStderr(), "%d data keys, %d left\n", done, left)
		})
		if err != nil {
			return err
		}
		return show(c, report, *format)
	}
	return c
}

func grantCommand(
	use, short, done string, do func(context.Context, node.KeyRequest) error,
) *cobra.Command {
	r := node.KeyRequest{}
	c := &cobra.Command{
		Use: use, Short: short,
		Long: short + ". Brokers that rest on a suspended grant\n" +
			"refuse messages at once, lose none, and come back when it is resumed.\n" +
			"`coffer keys usage KEY` shows the grants of a key.",
		Args: cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&r.Data, "data", dataDefault(), "data directory")
	c.Flags().StringVar(&r.Region, "region", "", "Region of the key (default that of its ARN)")
	c.RunE = func(c *cobra.Command, args []string) error {
		r.Key, r.Grant = args[0], args[1]
		if err := do(c.Context(), r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s grant %s\n", done, r.Grant)
		return err
	}
	return c
}
