package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"coffer/internal/fault"
	"coffer/internal/rootkey"
)

// rootKeyFlag is the flag that all commands share which need the root key.
func rootKeyFlag(f *pflag.FlagSet, source *string, value, what string) {
	f.StringVar(source, "root-key", value, what+": a file, credential:NAME of systemd,\n"+
		"fd:NUMBER, passphrase, passphrase:credential:NAME or passphrase:fd:NUMBER")
}

// secretReader reads secrets from where a user says that they are.
func secretReader() rootkey.Reader {
	r := rootkey.Reader{Credentials: os.Getenv("CREDENTIALS_DIRECTORY")}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		tty.Close()
		r.Prompt = prompt
	}
	return r
}

// prompt asks on the terminal of the process, wherever its output goes, and shows
// nothing of the answer. The end of ctx ends the wait and gives the terminal back.
func prompt(ctx context.Context, question string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	// Nothing may be typed before the echo is off, so the question comes after that.
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return nil, errors.Join(err, tty.Close())
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() { // it stays until the process ends when nobody answers
		text, err := term.NewTerminal(tty, "").ReadPassword(question + ": ")
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		if errors.Is(a.err, io.EOF) {
			a.err = fault.New(fault.Invalid, "nothing was typed; nothing was changed")
		}
		err := errors.Join(a.err, term.Restore(int(tty.Fd()), before), tty.Close())
		return []byte(a.text), err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), term.Restore(int(tty.Fd()), before))
	}
}
