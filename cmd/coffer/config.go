package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"coffer/internal/fault"
)

// variable is the environment variable of a flag: COFFER_API_PORT of --api-port.
func variable(flag string) string {
	return "COFFER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func dataDefault() string {
	if v := os.Getenv(variable("data")); v != "" {
		return v
	}
	return "./coffer-data"
}

// settle fills the flags that were not given from the environment, then from
// the YAML file, whose names are the flags'. A wrong name or value is an error
// that names it.
func settle(flags *pflag.FlagSet, file string) error {
	values, err := readFile(file)
	if err != nil {
		return err
	}
	for name := range values {
		if name == "config" || flags.Lookup(name) == nil {
			return fault.New(fault.Invalid, "%s: unknown setting %q", file, name)
		}
	}
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" {
			return
		}
		source, value := variable(f.Name), os.Getenv(variable(f.Name))
		if value == "" {
			v := values[f.Name]
			if v == nil { // not there, or there without a value
				return
			}
			source, value = file+": "+f.Name, text(v)
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fault.New(fault.Invalid, "%s: wrong value %q", source, value))
		}
	})
	return errors.Join(append(errs, unknownVariables(flags))...)
}

// unknownVariables refuses COFFER_ variables that set nothing. Those that
// `coffer env` prints are meant for clients.
func unknownVariables(flags *pflag.FlagSet) error {
	known := []string{"COFFER_CA", "COFFER_AMQP_URL", "COFFER_AMQP_PLAIN_URL",
		"COFFER_MANAGEMENT_URL"}
	flags.VisitAll(func(f *pflag.Flag) { known = append(known, variable(f.Name)) })
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "COFFER_") && !slices.Contains(known, name) {
			return fault.New(fault.Invalid, "environment: unknown setting %s", name)
		}
	}
	return nil
}

func readFile(file string) (map[string]any, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "--config: %s does not exist", file)
	}
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := yaml.Unmarshal(b, &values); err != nil {
		return nil, fault.New(fault.Invalid, "%s: %v", file, err)
	}
	return values, nil
}

// text writes a YAML value as the flag would be given.
func text(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = fmt.Sprint(x)
	}
	return strings.Join(words, ",")
}
