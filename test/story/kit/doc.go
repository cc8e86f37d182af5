// Package kit is what stories are told with: a process on a directory, killed,
// stopped and started again, real clients that trust its CA, and waits.
//
// A Server ends with its test, and the test fails when the log of the process
// holds a secret. The waits are bounded, and end as soon as what they wait for
// is there.
package kit
