package broker

// fairLanes are the lanes of a queue with Fair: what has no group is in the last, groups
// share the others. It bounds what the queue's record takes in each batch.
const fairLanes = 64

// ranks is the highest priority of a lane.
func (s *QueueSpec) ranks() uint8 {
	if s.Fair {
		return fairLanes - 1
	}
	return s.MaxPriority
}

// laneOf gives the lane in which m waits.
func (q *Queue) laneOf(m *Message) *lane {
	switch {
	case !q.spec.Fair:
		return q.lane(m.Priority)
	case m.Group == "":
		return q.lane(0)
	}
	return q.lane(1 + uint8(hashOf(m.Group)%(fairLanes-1)))
}

// first gives the lane whose message is the next, or nil: the highest, or that behind
// the one that had its turn.
func (st *queueState) first() *lane {
	from := 0
	if st.turn > 0 {
		for from < len(st.lanes) && st.lanes[from].priority >= st.turn {
			from++
		}
	}
	for i := range st.lanes {
		if l := st.lanes[(from+i)%len(st.lanes)]; !l.empty() {
			return l
		}
	}
	return nil
}
