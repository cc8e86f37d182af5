// Command coffer is a message broker that seals every message under a key of
// its own KMS, with the AWS APIs that drive it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
)

// develVersion is the version of a build that knows no other.
const develVersion = "devel"

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "coffer:", explain(err))
	if fault.KindOf(err) == fault.Invalid {
		return 2
	}
	return 1
}

// explain prefers the text made for people; an internal error keeps all it has.
func explain(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Text != "" {
		return e.Text
	}
	return err.Error()
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "coffer",
		Short:         "A message broker that seals every message under a key of its own KMS",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(serveCommand(), envCommand(), versionCommand())
	return c
}
