package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/fault"
	"coffer/internal/node"
)

// errAltered is the end of a verification that found something.
var errAltered = errors.New("the audit trail is not whole")

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify the audit trail, export it, and show the key that signs it",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(auditVerifyCommand(), auditExportCommand(), auditAccessLogCommand(),
		auditKeyCommand())
	return c
}

// trailFlags are those that name a trail.
func trailFlags(f *pflag.FlagSet, cfg *node.AuditConfig) {
	f.StringVar(&cfg.Data, "data", dataDefault(), "data directory")
	rootKeyFlag(f, &cfg.RootKey, os.Getenv(variable("root-key")), "root key")
	cfg.Secrets = secretReader()
}

func auditVerifyCommand() *cobra.Command {
	var cfg node.AuditConfig
	var output string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Show that nothing of the audit trail was changed or removed",
		Long: "Show that nothing of the audit trail was changed or removed, or say where it\n" +
			"was. The status is 0 when the trail is whole and 1 when it is not. That all of a\n" +
			"directory was put back from an old copy, or made anew by somebody who has the\n" +
			"root key, only --heads shows: the file of `coffer serve --audit-heads`, kept where\n" +
			"nobody who can change the directory can change it. A directory that is served is\n" +
			"read in a copy, which takes no room and is dropped afterwards.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fault.New(fault.Invalid, "--output: %q is neither text nor json", output)
			}
			r, err := node.VerifyAudit(c.Context(), cfg)
			if err != nil {
				return err
			}
			if err := printAudit(c.OutOrStdout(), output, r); err != nil {
				return err
			}
			if !r.Whole() {
				return fmt.Errorf("%s: %w", cfg.Data, errAltered)
			}
			return nil
		},
	}
	f := c.Flags()
	trailFlags(f, &cfg)
	f.StringVar(&cfg.Heads, "heads", "", "file of `coffer serve --audit-heads` to compare with")
	f.StringSliceVar(&cfg.Accept, "accept", nil,
		"incarnations or backups that were left on purpose, by a restore")
	f.StringVar(&output, "output", "text", "text or json")
	return c
}

func auditKeyCommand() *cobra.Command {
	var cfg node.AuditConfig
	c := &cobra.Command{
		Use:   "key",
		Short: "Print the public key that verifies signed heads of the audit trail",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := node.AuditKey(c.Context(), cfg)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), key)
			return err
		},
	}
	trailFlags(c.Flags(), &cfg)
	return c
}

func printAudit(w io.Writer, output string, r *node.AuditReport) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	text := fmt.Appendf(nil, "%s, store %s, incarnation %s\n", r.Data, r.Cluster, r.Incarnation)
	if r.Live {
		text = append(text, "a process serves it; a copy was read\n"...)
	}
	text = fmt.Appendf(text, "key %s\n", r.Verifier)
	for _, f := range r.Forks {
		text = fmt.Appendf(text, "restored from backup %s of incarnation %s, started %s\n",
			f.Backup, f.Incarnation, f.Time.Format(time.RFC3339))
	}
	for _, t := range r.Trees {
		text = fmt.Appendf(text, "shard %d: %d events since %s, %d of them signed", t.Shard,
			t.Leaves, t.Since.Format(time.RFC3339), t.Signed)
		if t.Adopted > 0 {
			text = fmt.Appendf(text, "; %d were there before", t.Adopted)
		}
		if t.Expired > 0 {
			text = fmt.Appendf(text, "; %d were removed after 90 days", t.Expired)
		}
		text = fmt.Appendf(text, "\n  root %s\n", t.Root)
	}
	text = append(text, headsText(r)...)
	for _, d := range r.Damage {
		text = fmt.Appendf(text, "DAMAGED %s: %s\n  %s\n", d.File, d.Problem, d.Advice)
	}
	for _, f := range r.Findings {
		text = fmt.Appendf(text, "ALTERED %s\n", f.String())
	}
	if more := r.Found - len(r.Findings); more > 0 {
		text = fmt.Appendf(text, "and %d more\n", more)
	}
	text = fmt.Appendf(text, "%d altered, in %.1f s\n", r.Found, r.Seconds)
	_, err := w.Write(text)
	return err
}

// headsText tells what was compared with heads, and what other histories they tell of.
func headsText(r *node.AuditReport) (text []byte) {
	if r.HeadsFile == "" {
		text = append(text, "without --heads: neither an old copy of the whole directory nor "+
			"what somebody with the root key made anew is shown\n"...)
	} else {
		text = fmt.Appendf(text, "%s: %d heads in %d lines", r.HeadsFile, r.Heads, r.Lines)
		if r.Cut > 0 {
			text = fmt.Appendf(text, ", %d cut short", r.Cut)
		}
		text = append(text, '\n')
	}
	for _, a := range r.Apart {
		word, of := "APART", ""
		if a.Meant {
			word = "apart, accepted"
		}
		if a.Backup != "" {
			of = " (backup " + a.Backup + ")"
		}
		text = fmt.Appendf(text, "%s: incarnation %s%s went on without this store: %d heads "+
			"up to %s tell of %d events that are not here\n", word, a.Incarnation, of, a.Heads,
			a.Newest.Format(time.RFC3339), a.Events)
		if !a.Meant {
			text = fmt.Appendf(text, "  that is so after a restore; if it was meant: --accept %s\n",
				a.Incarnation)
		}
	}
	return text
}
