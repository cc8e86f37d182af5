package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The caps. A file or function over one of them holds two ideas.
const (
	maxFuncLines = 70
	maxFileLines = 600
	maxColumns   = 100 // with tabs of four
)

var (
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	// The words are split so that this file does not hold them.
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	sentinel   = regexp.MustCompile(`^[Ee]rr[A-Z]`)
)

// A report is what one file shows.
type report struct {
	source     *source
	fset       *token.FileSet
	file       *ast.File
	documented bool
	findings   []string
}

// addf notes a finding at a place in the file.
func (r *report) addf(pos token.Pos, format string, args ...any) {
	at := r.fset.Position(pos)
	where := fmt.Sprintf("%s:%d: ", at.Filename, at.Line)
	r.findings = append(r.findings, where+fmt.Sprintf(format, args...))
}

// examine applies every rule to one file. Generated code has any size and any
// variables, but keeps to the layers.
func examine(s *source) *report {
	r := &report{source: s, fset: token.NewFileSet()}
	mode := parser.ParseComments | parser.SkipObjectResolution
	machine := generated.Match(s.text)
	if machine {
		mode |= parser.ImportsOnly
	}
	file, err := parser.ParseFile(r.fset, s.name, s.text, mode)
	if err != nil {
		r.findings = append(r.findings, err.Error())
		r.documented = true // unknown, and one finding is enough
		return r
	}
	r.file = file
	doc := file.Doc.Text()
	name := file.Name.Name
	r.documented = strings.HasPrefix(doc, "Package "+name+" ") || name == "main" && doc != ""
	r.imports()
	if machine {
		return r
	}
	r.lines()
	for _, d := range file.Decls {
		r.decl(d)
	}
	if s.test() {
		r.sleeps()
	}
	return r
}

// imports checks the direction of dependencies. Tests may bring up neighbours,
// but never the whole process: that is what the folder test is for.
func (r *report) imports() {
	dir := r.source.dir()
	allowed, ok := layerOf(dir)
	if !ok {
		r.addf(r.file.Package, "%s belongs to no layer", dir)
		return
	}
	for _, spec := range r.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			r.addf(spec.Pos(), "import %s: %v", spec.Path.Value, err)
			continue
		}
		inside, local := strings.CutPrefix(p, module+"/")
		switch {
		case !local:
			r.owner(spec, dir, p)
		case r.source.module != module:
			if !under(dir, "test") {
				r.addf(spec.Pos(), "module %s may not import %s", r.source.module, p)
			}
		case r.source.test():
			whole := under(inside, "internal/node") || under(inside, "cmd")
			if whole && !mayImport(dir, allowed, inside) {
				r.addf(spec.Pos(), "a test of %s may not import %s", dir, inside)
			}
		case !mayImport(dir, allowed, inside):
			r.addf(spec.Pos(), "%s may not import %s", dir, inside)
		}
	}
}

// owner checks a third-party import. What the folder test owns is for tests,
// wherever they stand.
func (r *report) owner(spec *ast.ImportSpec, dir, p string) {
	for owned, homes := range owners {
		if !under(p, owned) || r.home(dir, homes) {
			continue
		}
		r.addf(spec.Pos(), "%s may not import %s: only %s does", dir, p, homes)
	}
}

func (r *report) home(dir, homes string) bool {
	for home := range strings.FieldsSeq(homes) {
		if under(dir, home) || home == "test" && r.source.test() {
			return true
		}
	}
	return false
}

// lines checks the length of the file, its lines, and its words.
func (r *report) lines() {
	text := r.source.text
	if n := bytes.Count(text, []byte("\n")); n > maxFileLines {
		r.findings = append(r.findings, fmt.Sprintf("%s: %d lines", r.source.name, n))
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, "\n")
		if n := utf8.RuneCount(line) + 3*bytes.Count(line, []byte("\t")); n > maxColumns {
			r.findings = append(r.findings,
				fmt.Sprintf("%s:%d: %d columns", r.source.name, number, n))
		}
		if word := unfinished.Find(line); word != nil {
			r.findings = append(r.findings,
				fmt.Sprintf("%s:%d: the word %s", r.source.name, number, word))
		}
	}
}

// decl checks a function's length, and variables of the package. Tests may
// have variables: flags that regenerate scripts are such.
func (r *report) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			r.addf(d.Pos(), "init function")
		}
		lines := r.fset.Position(d.End()).Line - r.fset.Position(d.Pos()).Line + 1
		if lines > maxFuncLines {
			r.addf(d.Pos(), "%s has %d lines", d.Name.Name, lines)
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR || r.source.test() {
			return
		}
		for _, spec := range d.Specs {
			r.variables(d, spec.(*ast.ValueSpec))
		}
	}
}

// variables refuses those that are not constants in all but name.
func (r *report) variables(d *ast.GenDecl, spec *ast.ValueSpec) {
	if embedded(d.Doc) || embedded(spec.Doc) {
		return
	}
	for i, id := range spec.Names {
		if id.Name == "_" {
			continue
		}
		if i >= len(spec.Values) || !constant(id.Name, spec.Values[i]) {
			r.addf(id.Pos(), "package variable %s", id.Name)
		}
	}
}

// embedded reports whether the comment fills the variable from a file.
func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// constant accepts sentinel errors, compiled patterns and filled tables. An
// empty literal is no table: it waits to be filled.
func constant(name string, value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.CompositeLit:
		return len(v.Elts) > 0
	case *ast.CallExpr:
		if _, bytes := v.Fun.(*ast.ArrayType); bytes { // []byte("name"), a stored key
			_, ok := v.Args[0].(*ast.BasicLit)
			return ok
		}
		call, ok := v.Fun.(*ast.SelectorExpr)
		return ok && (sentinel.MatchString(name) || call.Sel.Name == "MustCompile")
	case *ast.UnaryExpr:
		return v.Op == token.AND && sentinel.MatchString(name)
	}
	return false
}

// sleeps refuses time.Sleep: a test that sleeps is slow when it passes and
// random when it fails.
func (r *report) sleeps() {
	ast.Inspect(r.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				r.addf(sel.Pos(), "time.Sleep in a test")
			}
		}
		return true
	})
}
