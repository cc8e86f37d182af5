package listen

import (
	"math"
	"sync/atomic"
)

// Budget bounds the connections that several listeners have open together, so that
// clients who never log in cannot take the files that the process needs itself. One
// listener takes three quarters at most, so that none shuts the others.
type Budget struct {
	most int64
	open atomic.Int64
}

// NewBudget gives one for so many connections.
func NewBudget(most int) *Budget { return &Budget{most: int64(most)} }

// share is what one listener takes at most; a nil budget bounds nothing.
func (b *Budget) share() int64 {
	if b == nil {
		return math.MaxInt64
	}
	return b.most - b.most/4
}

// take counts a connection in, if there is room for it. A nil budget has room.
func (b *Budget) take() bool {
	if b == nil || b.open.Add(1) <= b.most {
		return true
	}
	b.open.Add(-1)
	return false
}

// release counts out a connection that was counted in.
func (b *Budget) release() {
	if b != nil {
		b.open.Add(-1)
	}
}
