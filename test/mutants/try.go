package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errEndless: the tests of a fault were ended by their time, which says less than a
// test that fails.
var errEndless = errors.New("endless")

// Try runs the tests of a fault and fails unless they do.
func Try(ctx context.Context, m *Mutant, scratch string, number int) error {
	broken, err := m.Apply(".")
	if err != nil {
		return err
	}
	overlay, err := writeOverlay(broken, filepath.Join(scratch, fmt.Sprint(number)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	args := append([]string{
		"test", "-count=1", "-short", "-failfast", "-vet=off", "-ldflags=-s -w",
		"-timeout", limit.String(),
	}, m.Test...)
	c := exec.CommandContext(ctx, "go", args...)
	// The environment has the overlay, so that it reaches a coffer that a test builds; one
	// that was built before has no fault.
	c.Env = append(os.Environ(), "COFFER_PATIENCE="+patience.String(), "COFFER_BINARY=",
		strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" '-overlay="+overlay+"'"))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return errors.New("SURVIVED")
	case !errors.As(err, &exit):
		return err
	case strings.Contains(out.String(), "[build failed]"),
		strings.Contains(out.String(), "[setup failed]"):
		return fmt.Errorf("does not build:\n%s", &out)
	case strings.Contains(out.String(), "panic: test timed out"):
		return errEndless
	case !strings.Contains(out.String(), "FAIL"):
		return fmt.Errorf("no test failed:\n%s", &out)
	}
	return nil
}

// writeOverlay gives the name of the file that tells the compiler to read other
// texts in place of these files.
func writeOverlay(texts map[string][]byte, dir string) (string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	instead := map[string]string{}
	for file, text := range texts {
		whole, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		name := filepath.Join(dir, fmt.Sprint(len(instead), "-", filepath.Base(file)))
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return "", err
		}
		instead[whole] = name
	}
	text, err := json.Marshal(map[string]any{"Replace": instead})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
