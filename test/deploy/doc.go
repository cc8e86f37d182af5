// Package deploy shows that what stands in the folder deploy starts from nothing, as
// those do who use it, and that a client's message goes through.
//
// What every machine can is tried by each run of the tests. What takes root, packages
// of Debian and minutes is tried by `make packages`, which sets COFFER_PACKAGES, and is
// skipped without.
package deploy
