package node

import (
	"context"
	"time"
)

// The work beside the others': it rests three times as long as it works, at least for a
// moment and at most for a while.
const (
	restFactor = 3
	restLeast  = time.Millisecond
	restMost   = time.Second
)

// pause leaves the shards to others for a time, and the disk while it is short of room.
func (n *Node) pause(ctx context.Context, worked time.Duration) error {
	wait := min(max(restFactor*worked, restLeast), restMost)
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if n.engine.Room() == nil {
			return nil
		}
		wait = restMost
	}
}
