package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coffer/internal/node"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
)

// newRoot are the flags that say what root key is to be made.
type newRoot struct {
	data, to          string
	shares, threshold int
}

func (r *newRoot) flags(f *pflag.FlagSet) {
	f.StringVar(&r.data, "data", dataDefault(), "data directory")
	f.StringVar(&r.to, "to", "", "what the root key is to be: a file that is made, shares,\n"+
		"or what stands in credential:NAME, fd:NUMBER, passphrase (asked for),\n"+
		"passphrase:credential:NAME or passphrase:fd:NUMBER (default <data>/root.key)")
	f.IntVar(&r.shares, "shares", 5, "how many shares are made")
	f.IntVar(&r.threshold, "threshold", 3, "how many of them are needed")
}

// make makes the key, or reads it.
func (r *newRoot) make(c *cobra.Command) (*rootkey.Made, error) {
	s := rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: filepath.Join(r.data, "root.key"),
	}
	if r.to != "" {
		var err error
		if s, err = rootkey.ParseSource(r.to); err != nil {
			return nil, err
		}
	}
	reader := secretReader()
	return reader.Make(c.Context(), s, r.shares, r.threshold)
}

// with makes a root key and lets it be used. Shares are printed before anything rests on
// the key: what nobody saw could never be opened.
func (r *newRoot) with(c *cobra.Command, use func(*rootkey.Made) error) error {
	made, err := r.make(c)
	if err != nil {
		return err
	}
	defer made.Wipe()
	if err := printShares(c.OutOrStdout(), made.Shares); err != nil {
		return err
	}
	return use(made)
}

func rootCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "root",
		Short: "Make, show and replace the root key of a data directory",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(rootInitCommand(), rootRotateCommand(), rootStatusCommand())
	return c
}

func rootInitCommand() *cobra.Command {
	r := &newRoot{}
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a data directory under a root key of one's choice",
		Long: "Make a data directory under a root key of one's choice, where a first start\n" +
			"would make a file. Shares are printed once, a line each, and kept nowhere: give\n" +
			"each to another person.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.with(c, func(made *rootkey.Made) error {
				cfg := node.Config{Data: r.data, Version: version()}
				if err := node.InitRoot(c.Context(), cfg, made); err != nil {
					return errors.Join(err, unused(made))
				}
				_, err := fmt.Fprintf(c.ErrOrStderr(), "%s was made\n", r.data)
				return err
			})
		},
	}
	r.flags(c.Flags())
	return c
}

func rootRotateCommand() *cobra.Command {
	r := &newRoot{}
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Have the process that serves a data directory go over to another root key",
		Long: "Have the process that serves a data directory go over to another root key, or\n" +
			"to one of another kind. The old one opens the directory no more; backups that\n" +
			"were made before still need it. What was copied of the directory before opens\n" +
			"with the old key for ever. Shares are printed once, before they count.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.with(c, func(made *rootkey.Made) error {
				if err := node.RotateRoot(c.Context(), r.data, made); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.ErrOrStderr(), "the root key of %s was replaced\n", r.data)
				return err
			})
		},
	}
	r.flags(c.Flags())
	return c
}

// unused tells that shares which were printed are of no use.
func unused(made *rootkey.Made) error {
	if made.Shares == nil {
		return nil
	}
	return errors.New("the shares that were printed open nothing")
}

func printShares(w io.Writer, shares []seal.Secret) error {
	for _, s := range shares {
		if _, err := fmt.Fprintf(w, "%s\n", []byte(s)); err != nil {
			return err
		}
	}
	return nil
}

func rootStatusCommand() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell what the root key is made of, and whether the process is sealed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := node.Root(c.Context(), data)
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s; the root key is %s", s.State, rootkey.Kind(s.Kind).Describe())
			if s.Needed > 0 {
				text += fmt.Sprintf("; %d of %d shares were given", s.Given, s.Needed)
			}
			if s.Platform != nil {
				text += "\n" + platformText(s.Platform)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), text)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", dataDefault(), "data directory")
	return c
}
