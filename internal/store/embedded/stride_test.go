//go:build !race

package embedded_test

// stride is how far apart the crashes of the crash tests are.
const stride = 1
