package rabbitmq

import (
	"strings"
	"sync"
)

// keepLog bounds the log that is kept, in lines.
const keepLog = 100

// tail is the end of a log.
type tail struct {
	ended chan struct{} // closed when there is no more; nil before it began

	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, line); len(t.lines) > keepLog {
		t.lines = t.lines[1:]
	}
}

// String gives the lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
