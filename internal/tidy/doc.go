// Package tidy holds the test that keeps the shape of the code true: which
// folder may import which, how long a function, file or line may be, and the
// habits that no compiler enforces. It runs with the other tests and needs no
// tool.
//
// It guarantees that the table in layers_test.go is the whole truth about
// imports inside the module and that no file is excused by name. It does not
// judge names, comments or design, and reads no build constraints: a file is
// checked on every platform.
package tidy
