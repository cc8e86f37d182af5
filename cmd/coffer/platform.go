package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"coffer/internal/node"
)

func platformCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "platform",
		Short: "Replace the platform key of a data directory",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(platformRotateCommand())
	return c
}

func platformRotateCommand() *cobra.Command {
	var cfg node.Config
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Have the process that serves a data directory go over to another platform key",
		Long: "Have the process that serves a data directory go over to another platform key,\n" +
			"the one that the root key opens and that seals all that is stored. Nobody is\n" +
			"interrupted, and sessions stay valid. The process seals anew what is under older\n" +
			"keys, beside its work; coffer root status tells how far that is. The root key is\n" +
			"needed, because the process does not keep it.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg.Secrets = secretReader()
			if err := node.RotatePlatform(c.Context(), cfg); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.ErrOrStderr(), "the platform key of %s was replaced\n",
				cfg.Data)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(f, &cfg.RootKey, os.Getenv(variable("root-key")), "root key")
	return c
}

func platformText(s *node.PlatformStatus) string {
	text := "1 platform key"
	if s.Keys > 1 {
		text = fmt.Sprintf("%d platform keys", s.Keys)
	}
	if s.Since != nil {
		text += ", the newest since " + s.Since.Format(time.RFC3339)
	}
	switch {
	case s.Keys == 1:
	case !s.Resealed:
		text += "; what is under the older is being sealed anew"
		if s.Shard != nil {
			text += fmt.Sprintf(": %d values so far, now in shard %d", s.Sealed, *s.Shard)
		}
	default:
		text += "; all is sealed under the newest, sessions may need the older until " +
			s.Until.Format(time.RFC3339) + ", and the next start or rotation after that drops it"
	}
	return text
}
