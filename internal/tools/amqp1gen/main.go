// Amqp1gen writes the mechanical part of internal/protocol/amqp10/wire: the
// composite types of AMQP 1.0, its descriptors and its constants. It reads
// spec.json, a table of facts beside this file, so that nothing but Go is needed to
// generate. It is a module of its own and no part of the binary; it has no network
// access and writes only the files it names.
//
//	amqp1gen -out DIR             write DIR/*_gen.go from spec.json
//	amqp1gen -xml DIR -spec FILE  make spec.json from the specification's XML
//	                              (Debian: amqp-specs, 1-0/*.bare.xml)
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "", "write the generated Go files into this folder")
	xml := flag.String("xml", "", "read the facts from the XML files in this folder")
	spec := flag.String("spec", "spec.json", "the table of facts to read, or with -xml to write")
	flag.Parse()
	if err := run(*out, *xml, *spec); err != nil {
		fmt.Fprintln(os.Stderr, "amqp1gen:", err)
		os.Exit(1)
	}
}

func run(out, xml, specPath string) error {
	switch {
	case xml != "":
		s, err := fromFolder(xml)
		if err != nil {
			return err
		}
		return os.WriteFile(specPath, s.encode(), 0o644)
	case out != "":
		return generate(specPath, out)
	}
	return errors.New("nothing to do: give -out or -xml")
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
