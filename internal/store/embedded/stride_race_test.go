//go:build race

package embedded_test

// stride is how far apart the crashes of the crash tests are. The race
// detector makes each ten times slower and needs only some.
const stride = 13
