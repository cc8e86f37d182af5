//go:build race

package brokertest

// stride is how far apart the crashes of a move are. The race detector makes each ten
// times slower and needs only some; 3 and 24, by which they differ, do not share a factor
// with it.
const stride = 7
