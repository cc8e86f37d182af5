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
	"coffer/internal/node"
)

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
	if found, ok := errors.AsType[findings](err); ok {
		return int(found)
	}
	fmt.Fprintln(os.Stderr, "coffer:", explain(err))
	return status(err)
}

// status is 70, EX_SOFTWARE of sysexits, as when the store fails, where a
// supervisor should start the process anew.
func status(err error) int {
	switch {
	case errors.Is(err, node.ErrFailed):
		return 70
	case fault.KindOf(err) == fault.Invalid:
		return 2
	}
	return 1
}

// explain prefers the text made for people. An error that is not theirs keeps
// all it has.
func explain(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Text == "" || e.Kind == fault.Internal || e.Kind == fault.Unavailable {
		return err.Error()
	}
	return e.Text
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "coffer",
		Short:         "A message broker that seals every message under a key of its own KMS",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(serveCommand(), envCommand(), accountsCommand(), auditCommand(), backupCommand(),
		benchCommand(), certificatesCommand(), checkCommand(), doctorCommand(), explainCommand(),
		healthCommand(), keysCommand(), platformCommand(), restoreCommand(), rootCommand(),
		unsealCommand(), usersCommand(), versionCommand())
	return c
}
