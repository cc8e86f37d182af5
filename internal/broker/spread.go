package broker

import "math"

// A Hashed address gives a message to the binding with the best score for it, by
// rendezvous hashing with weights: a binding that comes takes its share from all
// others, one that goes leaves its share to all others, and nothing else moves. The
// scores hang on names and weights only, so that they are the same after a restart.

const (
	hashBasis = 14695981039346656037 // FNV-1a, 64 bits
	hashPrime = 1099511628211
)

// spread appends where the binding leads that text decides for.
func (r *route) spread(dst []*Queue, text string) []*Queue {
	return r.best(dst, hashOf(text))
}

func hashOf(text string) uint64 {
	h := uint64(hashBasis)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * hashPrime
	}
	return h
}

// spreadBytes is spread.
func (r *route) spreadBytes(dst []*Queue, text []byte) []*Queue {
	h := uint64(hashBasis)
	for _, b := range text {
		h = (h ^ uint64(b)) * hashPrime
	}
	return r.best(dst, h)
}

func (r *route) best(dst []*Queue, h uint64) []*Queue {
	var best *binding
	least := math.Inf(1)
	for _, b := range r.hashed {
		// From 0 to 1, both excluded: how the message likes the binding.
		u := (float64(scatterBits(h^b.place)>>12) + 0.5) / (1 << 52)
		if score := -math.Log(u) / b.weight; score < least {
			best, least = b, score
		}
	}
	if best == nil {
		return dst
	}
	return append(dst, best.queue)
}

// weigh prepares a binding of a Hashed address, or of a Drawn one, where all weigh as
// much.
func (b *binding) weigh(kind AddressKind) {
	b.weight = 1
	if kind == Hashed {
		n, _ := weightOf(b.key.key) // Bind has checked it
		b.weight = float64(n)
	}
	h := uint64(hashBasis)
	for _, c := range []byte(b.queue.spec.Name) {
		h = (h ^ uint64(c)) * hashPrime
	}
	if b.queue.post {
		h = ^h
	}
	b.place = scatterBits(h)
}

// scatterBits makes every bit of the result depend on every bit of x (the finish of
// SplitMix64).
func scatterBits(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
