// Amqpgen writes the mechanical part of internal/protocol/amqp091/wire: the
// methods, the basic properties and the constants of AMQP 0-9-1 as RabbitMQ
// speaks it. It reads spec.json, a table of facts beside this file, so that
// nothing but Go is needed to generate. It is a module of its own and no part
// of the binary; it has no network access and writes only the files it names.
//
//	amqpgen -out DIR              write DIR/*_gen.go from spec.json
//	amqpgen -xml FILE -spec FILE  make spec.json from RabbitMQ's extended
//	                              specification XML (Debian: amqp-specs)
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "", "write the generated Go files into this folder")
	xml := flag.String("xml", "", "read the facts from this specification XML")
	spec := flag.String("spec", "spec.json", "the table of facts to read, or with -xml to write")
	flag.Parse()
	if err := run(*out, *xml, *spec); err != nil {
		fmt.Fprintln(os.Stderr, "amqpgen:", err)
		os.Exit(1)
	}
}

func run(out, xml, specPath string) error {
	switch {
	case xml != "":
		return extract(xml, specPath)
	case out != "":
		return generate(specPath, out)
	}
	return errors.New("nothing to do: give -out or -xml")
}

func extract(xmlPath, specPath string) error {
	src, err := os.ReadFile(xmlPath)
	if err != nil {
		return err
	}
	s, err := fromXML(bytes.NewReader(src))
	if err != nil {
		return fmt.Errorf("read %s: %w", xmlPath, err)
	}
	return os.WriteFile(specPath, s.encode(), 0o644)
}

func generate(specPath, out string) error {
	src, err := os.ReadFile(specPath)
	if err != nil {
		return err
	}
	s, err := decodeSpec(src)
	if err != nil {
		return fmt.Errorf("read %s: %w", specPath, err)
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(out, f.name), f.src, 0o644); err != nil {
			return err
		}
	}
	return nil
}
