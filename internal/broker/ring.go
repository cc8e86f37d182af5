package broker

// ring is a double-ended queue. The zero value is empty.
type ring[T any] struct {
	buf  []T // its length is a power of two
	head int
	n    int
}

const keepRing = 1 << 12 // capacity that an empty ring keeps

func (r *ring[T]) len() int { return r.n }

func (r *ring[T]) at(i int) *T { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

func (r *ring[T]) pushBack(v T) {
	r.grow()
	r.n++
	*r.at(r.n - 1) = v
}

func (r *ring[T]) pushFront(v T) {
	r.grow()
	r.head = (r.head - 1) & (len(r.buf) - 1)
	r.n++
	*r.at(0) = v
}

// popFront and popBack panic on an empty ring.
func (r *ring[T]) popFront() T {
	var zero T
	v := *r.at(0)
	*r.at(0) = zero
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.shrink()
	return v
}

func (r *ring[T]) popBack() T {
	var zero T
	v := *r.at(r.n - 1)
	*r.at(r.n - 1) = zero
	r.shrink()
	return v
}

// insert puts v before what is at i, in as many steps as there are to the nearer end.
func (r *ring[T]) insert(i int, v T) {
	if i < r.n/2 {
		r.pushFront(v)
		for j := range i {
			*r.at(j) = *r.at(j + 1)
		}
	} else {
		r.pushBack(v)
		for j := r.n - 1; j > i; j-- {
			*r.at(j) = *r.at(j - 1)
		}
	}
	*r.at(i) = v
}

// remove takes the i-th out, in as many steps as there are to the nearer end.
func (r *ring[T]) remove(i int) {
	if i < r.n/2 {
		for ; i > 0; i-- {
			*r.at(i) = *r.at(i - 1)
		}
		r.popFront()
		return
	}
	for ; i < r.n-1; i++ {
		*r.at(i) = *r.at(i + 1)
	}
	r.popBack()
}

func (r *ring[T]) grow() {
	if r.n < len(r.buf) {
		return
	}
	buf := make([]T, max(8, 2*len(r.buf)))
	for i := range r.n {
		buf[i] = *r.at(i)
	}
	r.buf, r.head = buf, 0
}

func (r *ring[T]) shrink() {
	r.n--
	if r.n == 0 && len(r.buf) > keepRing {
		r.buf, r.head = nil, 0
	}
}
