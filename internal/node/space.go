package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"coffer/internal/fault"
)

// units are the suffixes of sizes, and what they stand for in bytes.
var units = [...]struct {
	suffix string
	bytes  uint64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1}, {"", 1},
}

// maxLowWater bounds a low-water mark in bytes.
const maxLowWater = 1 << 50

// parseLowWater reads a low-water mark: bytes, as 2GiB, or a part of the file
// system, as 10%. "" is the default, for which both are 0.
func parseLowWater(text string) (bytes uint64, percent int, err error) {
	wrong := fault.New(fault.Invalid,
		"--low-water: %q is neither a size such as 2GiB nor a part such as 10%%, "+
			"of 1%% to 25%% of the disk", text)
	if text == "" {
		return 0, 0, nil
	}
	if digits, ok := strings.CutSuffix(text, "%"); ok {
		n, err := strconv.ParseUint(digits, 10, 8)
		if err != nil || n < 1 || n > 25 {
			return 0, 0, wrong
		}
		return 0, int(n), nil
	}
	if bytes, ok := parseSize(text, maxLowWater); ok {
		return bytes, 0, nil
	}
	return 0, 0, wrong
}

// parseSize reads a size such as 2GiB, from 1 byte to limit.
func parseSize(text string, limit uint64) (bytes uint64, ok bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 64)
		if err != nil || n == 0 || n > limit/u.bytes {
			return 0, false
		}
		return n * u.bytes, true
	}
	return 0, false
}

// Bounds of the largest message, in bytes of its body.
const (
	DefaultMaxMessage = "16MiB"
	maxMaxMessage     = 128 << 20
	// forProperties is what a message may have beside its body: they fit one frame
	// of AMQP 0-9-1.
	forProperties = 256 << 10
)

func parseMaxMessage(text string) (bytes int, err error) {
	n, ok := parseSize(text, maxMaxMessage)
	if !ok {
		return 0, fault.New(fault.Invalid,
			"--max-message-size: %q is not a size such as 16MiB, of at most 128MiB", text)
	}
	return int(n), nil
}

// roomHealth says why new messages are refused.
func (n *Node) roomHealth(context.Context) error { return n.engine.Room() }

// syncHealth says that the disk does not answer in time.
func (n *Node) syncHealth(context.Context) error {
	if d := n.engine.Stats().SlowSync; d != 0 {
		return fmt.Errorf("a sync has not returned for %v", d)
	}
	return nil
}
