//go:build !race

package brokertest

// stride is how far apart the crashes of a move are.
const stride = 1
