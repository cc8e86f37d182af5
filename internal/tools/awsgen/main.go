// Command awsgen turns AWS service models into Go packages: types, exceptions,
// a Service interface, an Unimplemented base, a Client and the operation
// table, for each models/<service>.json with overlay/<service>.json on top.
// The same input gives the same output. It refuses what the wire package has
// no codec for, rather than leaving it out.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("awsgen: ")
	dir := flag.String("dir", ".", "folder of models and overlay")
	out := flag.String("out", "", "folder that gets one package folder per service")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*dir, *out); err != nil {
		log.Fatal(err)
	}
}

func run(dir, out string) error {
	files, err := filepath.Glob(filepath.Join(dir, "models", "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no models in %s", dir)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		code, err := service(name, file, filepath.Join(dir, "overlay", name+".json"))
		if err != nil {
			return fmt.Errorf("generate %s: %w", name, err)
		}
		target := filepath.Join(out, name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(target, "api.go"), code, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// service generates one package.
func service(name, modelFile, overlayFile string) ([]byte, error) {
	m, err := load(modelFile, overlayFile)
	if err != nil {
		return nil, err
	}
	m.defaults(name)
	g, err := newGenerator(name, m)
	if err != nil {
		return nil, err
	}
	return g.source()
}

// load reads a model with its overlay, if there is one.
func load(modelFile, overlayFile string) (*model, error) {
	src, err := os.ReadFile(modelFile)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(src, &tree); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	patch, err := os.ReadFile(overlayFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := overlay(tree, patch); err != nil {
			return nil, err
		}
	}
	if src, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	m := &model{}
	return m, json.Unmarshal(src, m)
}
