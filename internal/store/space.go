package store

import (
	"errors"
	"syscall"
)

// Full tells a write that may succeed when space is freed.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Spacer is an ability of engines that know how much their medium can still
// take. Without room everything goes on working; who can do without storing
// something new, such as a message that may be refused, should not store it.
type Spacer interface {
	// Room is nil, or the reason why nothing new should be stored now. It is a
	// failure of kind fault.Exhausted whose text may be shown to clients, and
	// costs as much as loading a pointer.
	Room() error
	// WatchRoom calls fn after each change between room and none until stop is
	// called. fn does not block and may still run once while stop does.
	WatchRoom(fn func()) (stop func())
}
