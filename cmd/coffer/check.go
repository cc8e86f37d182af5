package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"coffer/internal/fault"
	"coffer/internal/node"
)

// errDamaged is the end of a check that found damage.
var errDamaged = errors.New("the data directory is damaged")

func checkCommand() *cobra.Command {
	var cfg node.Config
	var output string
	c := &cobra.Command{
		Use:   "check",
		Short: "Read the whole data directory of a stopped process and name what is damaged",
		Long: "Read the whole data directory of a stopped process, change nothing, and name\n" +
			"what is damaged. The status is 0 when all is whole and 1 when something is not.\n" +
			"Messages are not opened, which takes their customer's key: what is checked of\n" +
			"them is that each is there and stands at its place.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", output)
			}
			cfg.Secrets = secretReader()
			r, err := node.Check(c.Context(), cfg)
			if err != nil {
				return err
			}
			if err := printCheck(c.OutOrStdout(), output, r); err != nil {
				return err
			}
			if len(r.Damage) > 0 {
				return fmt.Errorf("%s: %w in %d places", cfg.Data, errDamaged, len(r.Damage))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(f, &cfg.RootKey, os.Getenv(variable("root-key")), "root key")
	f.StringVar(&output, "output", "text", "text or json")
	return c
}

func printCheck(w io.Writer, output string, r *node.CheckReport) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	text := fmt.Appendf(nil, "%s, format %d\n", r.Data, r.Format)
	if r.Upgrading != 0 {
		text = fmt.Appendf(text,
			"an upgrade from format %d was not ended; the next start ends it\n", r.Upgrading)
	}
	text = fmt.Appendf(text, "tables: %d files, %d bytes, every block\nlogs: %d files, %d bytes\n",
		r.Tables.Files, r.Tables.Bytes, r.Logs.Files, r.Logs.Bytes)
	for _, s := range r.Shards {
		text = fmt.Appendf(text, "shard %d, %s: %d rows", s.Shard, s.Holds, s.Rows)
		if s.Leftover+s.Orphans > 0 {
			text = fmt.Appendf(text, "; a crash or a deletion left %d rows and %d bodies, "+
				"which a process deletes", s.Leftover, s.Orphans)
		}
		if s.Older > 0 {
			text = fmt.Appendf(text, "; %d of them are under an older platform key, and a process "+
				"seals them anew", s.Older)
		}
		text = append(text, '\n')
	}
	if !r.Sealed {
		text = fmt.Appendf(text, "sealed values were not opened: %s\n", r.Unopened)
	}
	for _, d := range r.Damage {
		where := d.File
		if d.Shard != nil {
			where = fmt.Sprintf("shard %d %s", *d.Shard, d.Row)
		}
		text = fmt.Appendf(text, "DAMAGED %s: %s\n  %s\n", where, d.Problem, d.Advice)
	}
	text = fmt.Appendf(text, "%d damaged, in %.1f s\n", len(r.Damage), r.Seconds)
	_, err := w.Write(text)
	return err
}
