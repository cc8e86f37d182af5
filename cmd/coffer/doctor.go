package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/doctor"
	"coffer/internal/node"
)

// findings is the exit status of what was found and told: 1 warnings, 2 errors.
type findings int

func (f findings) Error() string { return fmt.Sprintf("findings of status %d", int(f)) }

func doctorCommand() *cobra.Command {
	cfg, opt := &node.Config{}, &options{}
	var output string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with a data directory and its machine",
		Long: "Look for what is wrong with a data directory and the machine it is on: clock,\n" +
			"disk, limits, ports, certificates, files, keys, settings and the store; and say\n" +
			"what to do. A process that serves the directory is asked, and tells of its own\n" +
			"settings; for one that is stopped give those of serve, in the same ways. Nothing\n" +
			"is changed. Without the root key all is looked at that needs none.\n\n" +
			"The status is 0 when all is well, 1 with warnings and 2 with errors. Notes do not\n" +
			"count. The ids of findings stay the same in later versions.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if err := opt.settle(c, cfg); err != nil {
				return err
			}
			cfg.Version, cfg.Secrets = version(), secretReader()
			r, err := node.Doctor(c.Context(), *cfg)
			if err != nil {
				return err
			}
			if err := printReport(c.OutOrStdout(), output, r); err != nil {
				return err
			}
			return verdict(r)
		},
	}
	settingFlags(c.Flags(), cfg, opt)
	c.Flags().VisitAll(func(f *pflag.Flag) {
		f.Hidden = f.Name != "data" && f.Name != "config" && f.Name != "root-key"
	})
	c.Flags().StringVar(&output, "output", "text", "text or json")
	return c
}

func verdict(r *doctor.Report) error {
	switch {
	case r.Count(doctor.Error) > 0:
		return findings(2)
	case r.Count(doctor.Warning) > 0:
		return findings(1)
	}
	return nil
}

func printReport(w io.Writer, output string, r *doctor.Report) error {
	if output == "json" {
		return printJSON(w, r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n\t\t-> %s\n", f.Severity, f.ID, line(f.Seen), line(f.Do))
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(table, "skipped\t%s\t%s\n", s.ID, line(s.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s (%s): %d errors, %d warnings, %d notes of %d checks, %d skipped\n",
		r.Data, r.State, r.Count(doctor.Error), r.Count(doctor.Warning), r.Count(doctor.Note),
		len(r.Checked), len(r.Skipped))
	return err
}

// line keeps a text on its line and in its column.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }
