// Package kit runs the built binary for stories: it starts `coffer serve` on a
// directory, waits until clients can be served, gives real clients that trust
// its CA, kills, stops and starts it again.
//
// A Server ends with its test, and the test fails when the log of the process
// holds a secret. The kit stops only what it started. Its waits are bounded,
// and end as soon as what they wait for is there.
package kit
