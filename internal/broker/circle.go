package broker

import (
	"cmp"
	"slices"
)

// circle is the consumers of a queue that have one priority.
type circle struct {
	priority int32
	count    int             // of all of them
	ring     ring[*Consumer] // those that may have room for a delivery
}

// join puts c among the consumers of its priority.
func (st *queueState) join(c *Consumer) {
	i, ok := slices.BinarySearchFunc(st.circles, c.spec.Priority, func(k *circle, p int32) int {
		return cmp.Compare(p, k.priority) // the highest first
	})
	if !ok {
		st.circles = slices.Insert(st.circles, i, &circle{priority: c.spec.Priority})
	}
	c.state.circle = st.circles[i]
	c.state.circle.count++
}

// leave is the reverse of join.
func (st *queueState) leave(c *Consumer) {
	k := c.state.circle
	if k.count--; k.count == 0 {
		st.circles = slices.DeleteFunc(st.circles, func(x *circle) bool { return x == k })
	}
}

// turnOf gives the consumer of the circle whose turn it is, or nil. One that cannot
// take a delivery leaves the circle; what makes it able again puts it back.
func (sh *shard) turnOf(k *circle) *Consumer {
	for k.ring.len() > 0 {
		c := k.ring.popFront()
		if c.state.cancelled || c.state.failed != nil || !sh.able(c) {
			c.state.active = false
			continue
		}
		k.ring.pushBack(c)
		return c
	}
	return nil
}

// consumerOf gives the consumer whose turn it is, or nil: while one of a higher
// priority can take a delivery, those of lower ones get none.
func (sh *shard) consumerOf(st *queueState) *Consumer {
	for _, k := range st.circles {
		if c := sh.turnOf(k); c != nil {
			return c
		}
	}
	return nil
}

// activate puts c into its circle, unless it waits to become the active one.
func (sh *shard) activate(c *Consumer) {
	sh.show(c.spec.Queue) // it may be able to deliver
	if c.state.active || c.state.cancelled || !c.active.Load() {
		return
	}
	c.state.active = true
	c.state.circle.ring.pushBack(c)
	sh.touch(c.spec.Queue)
}
