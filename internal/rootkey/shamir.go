package rootkey

import (
	"crypto/rand"

	"coffer/internal/seal"
)

// Arithmetic of GF(2^8) with the polynomial of AES, x^8 + x^4 + x^3 + x + 1, without
// tables or branches that depend on a secret.
//
// Source: FIPS 197, section 4.

func mul(a, b byte) (product byte) {
	for range 8 {
		product ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return product
}

// inverse gives a^254, which is 1/a for all but 0.
func inverse(a byte) byte {
	power := a
	for range 6 {
		power = mul(mul(power, power), a)
	}
	return mul(power, power)
}

// split makes n points of polynomials of degree k-1, one for each byte, that have the
// secret at 0. Point i, from 0, is at x = i+1.
//
// Source: Shamir, "How to share a secret", 1979.
func split(secret seal.Secret, n, k int) []seal.Secret {
	points := make([]seal.Secret, n)
	for i := range points {
		points[i] = make(seal.Secret, len(secret))
	}
	polynomial := make(seal.Secret, k)
	defer polynomial.Wipe()
	for at, b := range secret {
		rand.Read(polynomial) // never fails
		polynomial[0] = b
		for i := range points {
			points[i][at] = evaluate(polynomial, byte(i+1))
		}
	}
	return points
}

func evaluate(polynomial []byte, x byte) (y byte) {
	for i := len(polynomial) - 1; i >= 0; i-- {
		y = mul(y, x) ^ polynomial[i]
	}
	return y
}

// combine gives the value at 0 of the polynomials through the points, whose x differ and
// are not 0.
func combine(xs []byte, points []seal.Secret) seal.Secret {
	secret := make(seal.Secret, len(points[0]))
	for i, x := range xs {
		weight := byte(1)
		for j, other := range xs {
			if j != i {
				weight = mul(weight, mul(other, inverse(other^x)))
			}
		}
		for at, y := range points[i] {
			secret[at] ^= mul(weight, y)
		}
	}
	return secret
}
